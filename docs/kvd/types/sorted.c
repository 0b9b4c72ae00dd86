/* SPDX-License-Identifier: MIT */
/*
 * Sorted sets: an item is a score and a member, a name has the number of its
 * item, and the items are a heap, with the least of all in front.
 */
#include "types.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../call.h"
#include "../command.h"
#include "../store.h"
#include "../write.h"
#include "collection.h"

struct ranked {
	double score;
	struct bytes name;
};

/* An item to be written. */
struct item {
	char text[8 + COLLECTION_MAX];
	size_t length;
};

static struct ranked
decode(struct bytes item)
{
	const uint64_t bits = get_u64(item.data);
	struct ranked ranked = {0, {item.data + 8, item.length - 8}};

	memcpy(&ranked.score, &bits, sizeof(bits));
	return ranked;
}

static void
encode(struct item *item, double score, struct bytes name)
{
	uint64_t bits;

	memcpy(&bits, &score, sizeof(bits));
	put_u64(item->text, bits);
	memcpy(item->text + 8, name.data, name.length);
	item->length = 8 + name.length;
}

/* By score, and then by name. */
static int
compare(const struct ranked *a, const struct ranked *b)
{
	const size_t length =
	    a->name.length < b->name.length ? a->name.length : b->name.length;
	int order;

	if (a->score != b->score)
		return a->score < b->score ? -1 : 1;
	order = memcmp(a->name.data, b->name.data, length);
	if (order != 0)
		return order;
	return (a->name.length > b->name.length) -
	       (a->name.length < b->name.length);
}

static bool
is_less(struct bytes a, struct bytes b)
{
	const struct ranked one = decode(a), other = decode(b);

	return compare(&one, &other) < 0;
}

/*
 * The heap.
 */

static struct bytes
item_at(const struct collection *set, uint64_t index)
{
	return value_bytes(collection_item(set, index));
}

static int
place(struct collection *set, uint64_t index, struct bytes item)
{
	char number[8];

	put_u64(number, index);
	if (collection_set_item(set, index, item) == -1)
		return -1;
	return collection_set_named(
	    set, decode(item).name, (struct bytes){number, sizeof(number)});
}

/* Gives the place that is free for the item, once others have moved. */
static int
move_up(struct collection *set, uint64_t *index, struct bytes item)
{
	struct bytes parent;

	while (*index > 0) {
		parent = item_at(set, (*index - 1) / 2);
		if (!is_less(item, parent))
			break;
		if (place(set, *index, parent) == -1)
			return -1;
		*index = (*index - 1) / 2;
	}
	return 0;
}

static int
move_down(struct collection *set, uint64_t *index, struct bytes item)
{
	struct bytes child;
	uint64_t next;

	while ((next = *index * 2 + 1) < set->end) {
		child = item_at(set, next);
		if (next + 1 < set->end &&
		    is_less(item_at(set, next + 1), child))
			child = item_at(set, ++next);
		if (!is_less(child, item))
			break;
		if (place(set, *index, child) == -1)
			return -1;
		*index = next;
	}
	return 0;
}

/* Puts an item in at a place that is free, or near it. */
static int
settle(struct collection *set, uint64_t index, struct bytes item)
{
	if (move_up(set, &index, item) == -1 ||
	    move_down(set, &index, item) == -1)
		return -1;
	return place(set, index, item);
}

static int
take_out(struct collection *set, uint64_t index)
{
	const struct bytes item = item_at(set, index);
	const struct bytes last = item_at(set, --set->end);

	if (collection_drop_named(set, decode(item).name) == -1 ||
	    collection_drop_item(set, set->end) == -1)
		return -1;
	return index == set->end ? 0 : settle(set, index, last);
}

/*
 * Scores.
 */

static bool
parse_score(struct bytes text, double *score)
{
	char *end;

	*score = strtod(text.data, &end);
	return text.length > 0 && end == text.data + text.length &&
	       !isnan(*score) && strchr(" \t\n\v\f\r", text.data[0]) == NULL;
}

/* The shortest text that is the same number again. */
static void
format_score(double score, char text[32])
{
	int digits;

	if (isinf(score)) {
		strcpy(text, score > 0 ? "inf" : "-inf");
		return;
	}
	for (digits = 15; digits <= 17; digits++) {
		snprintf(text, 32, "%.*g", digits, score);
		if (strtod(text, NULL) == score)
			return;
	}
}

static void
reply_score(struct call *call, double score)
{
	char text[32];

	format_score(score, text);
	reply_double(&call->reply, text);
}

/*
 * The commands.
 */

static bool
check_scores(struct call *call)
{
	double score;
	size_t i;

	for (i = 2; i < argument_count(call); i += 2) {
		if (parse_score(argument(call, i), &score))
			continue;
		reply_error(&call->reply, "ERR value is not a valid float");
		return false;
	}
	return true;
}

/* 1 if there was none of that name, or 0, or -1 without memory. */
static int
set_score(struct collection *set, struct bytes name, double score)
{
	const struct value *number = collection_named(set, name);
	uint64_t index;
	struct item item;

	encode(&item, score, name);
	if (number == NULL) {
		index = set->end++;
		return settle(set, index,
			   (struct bytes){item.text, item.length}) == -1
			   ? -1
			   : 1;
	}
	index = get_u64(number->data);
	return settle(set, index, (struct bytes){item.text, item.length});
}

/* No options: neither NX, XX and the like. */
struct evresult
run_zadd(struct call *call)
{
	struct collection set;
	long long added = 0;
	double score;
	int result;
	size_t i;

	if (argument_count(call) % 2 != 0)
		return syntax_error(call);
	if (!check_scores(call) ||
	    !collection_open(
		&set, call, argument(call, 1), COLLECTION_SORTED) ||
	    !collection_check_names(call, 3, 2))
		return done();
	if (collection_begin(&set) == -1)
		return write_give_up(call);
	for (i = 2; i < argument_count(call); i += 2) {
		parse_score(argument(call, i), &score);
		result = set_score(&set, argument(call, i + 1), score);
		if (result == -1)
			return write_give_up(call);
		added += result;
	}
	if (collection_end(&set) == -1)
		return write_give_up(call);
	return write_end_number(call, added);
}

struct evresult
run_zrem(struct call *call)
{
	struct collection set;
	const struct value *number;
	long long removed = 0;
	size_t i;

	if (!collection_open(&set, call, argument(call, 1), COLLECTION_SORTED))
		return done();
	for (i = 2; i < argument_count(call); i++) {
		number = collection_named(&set, argument(call, i));
		if (number == NULL)
			continue;
		if (take_out(&set, get_u64(number->data)) == -1)
			return write_give_up(call);
		removed++;
	}
	if (removed > 0 && collection_end(&set) == -1)
		return write_give_up(call);
	return write_end_number(call, removed);
}

/* With a count, version 3 has a pair for each. */
static void
reply_ranked(struct call *call, const struct ranked *ranked, bool in_pairs)
{
	if (in_pairs && call->reply.version == 3)
		reply_array(&call->reply, 2);
	reply_bulk(&call->reply, ranked->name);
	reply_score(call, ranked->score);
}

static void
reply_pairs(struct call *call, uint64_t count, bool in_pairs)
{
	reply_array(&call->reply,
	    in_pairs && call->reply.version == 3 ? count : count * 2);
}

struct evresult
run_zpopmin(struct call *call)
{
	const bool in_pairs = argument_count(call) == 3;
	struct collection set;
	struct ranked ranked;
	uint64_t count;

	if (!parse_count(call, 2, &count) ||
	    !collection_open(&set, call, argument(call, 1), COLLECTION_SORTED))
		return done();
	if (count > collection_count(&set))
		count = collection_count(&set);
	if (hold_replies(call) == -1)
		return write_give_up(call);
	reply_pairs(call, count, in_pairs);
	for (; count > 0 && !are_too_many(call); count--) {
		ranked = decode(item_at(&set, 0));
		reply_ranked(call, &ranked, in_pairs);
		if (take_out(&set, 0) == -1)
			return write_give_up(call);
	}
	if (set.is_there && collection_end(&set) == -1)
		return write_give_up(call);
	return send_replies(call);
}

struct evresult
run_zcard(struct call *call)
{
	struct collection set;

	if (collection_open(&set, call, argument(call, 1), COLLECTION_SORTED))
		reply_integer(&call->reply, (long long)collection_count(&set));
	return done();
}

struct evresult
run_zscore(struct call *call)
{
	struct collection set;
	const struct value *number;

	if (!collection_open(&set, call, argument(call, 1), COLLECTION_SORTED))
		return done();
	number = collection_named(&set, argument(call, 2));
	if (number == NULL)
		reply_value(&call->reply, NULL);
	else
		reply_score(
		    call, decode(item_at(&set, get_u64(number->data))).score);
	return done();
}

static int
compare_ranked(const void *a, const void *b)
{
	return compare(a, b);
}

/* Sorted, on the heap; NULL without memory. */
static struct ranked *
sort(const struct collection *set)
{
	const size_t count = (size_t)collection_count(set);
	struct ranked *all = calloc(count + 1, sizeof(*all));
	size_t i;

	if (all == NULL)
		return NULL;
	for (i = 0; i < count; i++)
		all[i] = decode(item_at(set, i));
	qsort(all, count, sizeof(*all), compare_ranked);
	return all;
}

struct evresult
run_zrange(struct call *call)
{
	const bool scores = argument_count(call) == 5;
	struct collection set;
	struct range range;
	struct ranked *all;
	uint64_t from, count, i;

	if (argument_count(call) > 5 ||
	    (scores && !argument_is(call, 4, "withscores")))
		return syntax_error(call);
	if (!parse_range(call, 2, &range) ||
	    !collection_open(&set, call, argument(call, 1), COLLECTION_SORTED))
		return done();
	count = range_cut(&range, collection_count(&set), &from);
	if (hold_replies(call) == -1)
		return out_of_memory();
	all = sort(&set);
	if (all == NULL) {
		drop_replies(call);
		return out_of_memory();
	}
	if (scores)
		reply_pairs(call, count, true);
	else
		reply_array(&call->reply, count);
	for (i = from; i < from + count && !are_too_many(call); i++)
		if (scores)
			reply_ranked(call, &all[i], true);
		else
			reply_bulk(&call->reply, all[i].name);
	free(all);
	return send_replies(call);
}
