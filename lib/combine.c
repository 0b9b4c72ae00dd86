/* SPDX-License-Identifier: MIT */
/*
 * A combination of Deferreds, and what it fires with: one block of memory.
 *
 * Each input, a part, has a link that brings its result here, and is detached, so
 * that it goes by itself when its links have run.  Combinations may be parts of
 * combinations, a million deep: what goes down from a combination to its parts
 * (cancelling, freeing, disposing of results) nests only so far, and is then queued
 * for the outermost to do.
 */
#include <evdefer/combine.h>

#include <stdlib.h>

#include "link-internal.h"

#define LIST_FLAGS                                                             \
	(EVDEFERRED_LIST_FIRE_ON_ONE_CALLBACK |                                \
	    EVDEFERRED_LIST_FIRE_ON_ONE_ERRBACK |                              \
	    EVDEFERRED_LIST_CONSUME_ERRORS | EVDEFERRED_LIST_CANCEL_ON_ERROR)
#define GATHER_FLAGS                                                           \
	(EVDEFERRED_LIST_CONSUME_ERRORS | EVDEFERRED_LIST_CANCEL_ON_ERROR)

/* Frees those that lost, and fails with all failures. */
#define RACE 0x100u

/* Work on all parts: the bits of evresults.due. */
#define CANCEL 0x1u
#define FREE 0x2u
#define CLEAR 0x4u

/* Of a base. */
struct evcombining {
	struct evdefer_base_part part;
	struct evlist queue; /* combinations that have work to do */
	unsigned depth;
};

struct evpart {
	struct evresults *all; /* NULL once its link has run */
	struct evdeferred *d;  /* NULL then, or once it was freed */
	union {
		struct evlink *link; /* until it has run */
		struct evresult result;
	} u;
};

struct evresults {
	struct evlist node; /* in combining->queue while work is due */
	struct evdefer_base *base;
	struct evcombining *combining;
	struct evdeferred *d; /* to be fired; NULL once that is over */
	/* By d, by all pending parts together, and by whoever has the results.
	 * If only the parts are left, they are let go. */
	size_t refs;
	size_t total;
	size_t pending; /* parts whose link has not run */
	size_t first;	/* of the results that are shown */
	size_t count;
	unsigned flags;
	unsigned due;	/* work to do */
	bool decided;	/* what comes from now on is dropped */
	bool cancelled; /* because one has failed */
	bool shown;	/* somebody has results, and will free them */
	struct evpart parts[];
};

_Static_assert(sizeof(struct evpart) < sizeof(struct evlink),
    "parts fit in a size_t where links for as many were reserved");

static void
init_combining(struct evdefer_base_part *part)
{
	evlist_init_(&EVLIST_ELEMENT(part, struct evcombining, part)->queue);
}

static const struct evdefer_base_part_type combining_type = {
    .size = sizeof(struct evcombining), .init = init_combining};

/*
 * Work on all parts.
 */

static bool
is_pending(const struct evpart *part)
{
	return part->all != NULL;
}

static struct evresult
consume_error(struct evfailure *failure, void *arg)
{
	(void)failure, (void)arg;
	return evresult_value(NULL);
}

/* Nobody is left to see what the pending parts fire.  They go on without the
 * combination. */
static void
let_parts_go(struct evresults *all)
{
	const bool consumes = all->flags & EVDEFERRED_LIST_CONSUME_ERRORS;
	struct evlink *link;
	size_t i;

	for (i = 0; i < all->total; i++) {
		if (!is_pending(&all->parts[i]))
			continue;
		link = all->parts[i].u.link;
		link->type = NULL;
		link->callback = NULL;
		link->errback = consumes ? consume_error : NULL;
	}
}

static void
unref(struct evresults *all)
{
	struct evdefer_base *base = all->base;

	all->refs--;
	if (all->refs == 1 && all->pending > 0) {
		let_parts_go(all);
		all->refs = 0;
	}
	if (all->refs > 0)
		return;
	free(all);
	evdefer_base_unuse_(base);
}

static void
free_part(struct evpart *part)
{
	struct evdeferred *d = part->d;

	part->d = NULL;
	evdeferred_free(d);
}

static bool
is_seen(const struct evresults *all, size_t i)
{
	return i >= all->first && i - all->first < all->count;
}

static struct evresult
take(struct evpart *part)
{
	struct evresult result = part->u.result;

	part->u.result = evresult_value(NULL);
	return result;
}

/* Each step may run code of the user's that comes back to the combination. */
static void
work_now(struct evresults *all)
{
	const unsigned due = all->due;
	struct evpart *part;
	size_t i;

	all->due = 0;
	for (i = 0; i < all->total; i++) {
		part = &all->parts[i];
		if ((due & CANCEL) && part->d != NULL)
			evdeferred_cancel(part->d);
		if ((due & FREE) && part->d != NULL)
			free_part(part);
		if ((due & CLEAR) && !is_pending(part) && !is_seen(all, i))
			evresult_dispose(take(part));
	}
}

static void
work(struct evresults *all, unsigned what)
{
	struct evcombining *combining = all->combining;
	struct evdefer_base *base = all->base;
	struct evresults *next;

	all->due |= what;
	if (combining->depth >= EVDEFER_BASE_MAX_DEPTH) {
		if (evlist_empty_(&all->node)) {
			all->refs++;
			evlist_append_(&combining->queue, &all->node);
		}
		return;
	}
	evdefer_base_use_(base);
	all->refs++;
	combining->depth++;
	work_now(all);
	unref(all);
	while (combining->depth == 1 && !evlist_empty_(&combining->queue)) {
		next = EVLIST_ELEMENT(
		    evlist_pop_(&combining->queue), struct evresults, node);
		work_now(next);
		unref(next);
	}
	combining->depth--;
	evdefer_base_unuse_(base);
}

/* The canceller.  While the Deferred is not freed it fires with what its parts
 * answer, unless there are none. */
static void
leave_or_cancel(struct evdeferred *d, void *arg)
{
	struct evresults *all = arg;

	if ((d->flags & (EVDEFERRED_ANSWERS | EVDEFERRED_FREED)) ==
	    EVDEFERRED_ANSWERS) {
		if (!all->decided)
			work(all, CANCEL);
		return;
	}
	all->d = NULL;
	all->decided = true;
	all->count = 0;
	work(all, FREE | CLEAR);
	unref(all);
}

/*
 * Firing.
 */

static void
dispose_results(void *results)
{
	evresults_free(results);
}

static void
fire(struct evresults *all, struct evresult result)
{
	struct evdeferred *d = all->d;

	if (d == NULL) {
		evresult_dispose(result);
		return;
	}
	all->d = NULL;
	evdeferred_produce_(d, result);
	unref(all);
}

/* Makes a value of some of the results, for whoever owns that. */
static struct evresult
show(struct evresults *all, size_t first, size_t count)
{
	all->refs++;
	all->decided = true;
	all->shown = true;
	all->first = first;
	all->count = count;
	return evresult_owned(all, dispose_results);
}

/* The losers go before the winner is told. */
static void
fire_one(struct evresults *all, size_t index)
{
	const struct evresult winner = show(all, index, 1);

	work(all, all->flags & RACE ? FREE | CLEAR : CLEAR);
	fire(all, winner);
}

/* How much of a message goes into that of a failure around it: combinations of
 * combinations must not add up their messages. */
#define QUOTED 160

/* The failure because an input has failed, with that as its cause. */
static struct evresult
first_error(struct evfailure *cause, size_t index)
{
	struct evresult result =
	    evresult_wrap_at(cause->file, cause->line, cause, cause->code,
		"input %zu: %.*s", index, QUOTED, cause->message);
	struct evfailure *failure = result.data;

	if (failure->refs == 0)
		return result;
	failure->place = index + 1;
	failure->cancelled = cause->cancelled;
	return result;
}

/* The work to do because an input has failed. */
static unsigned
cancel_of_others(struct evresults *all)
{
	if (!(all->flags & EVDEFERRED_LIST_CANCEL_ON_ERROR) || all->cancelled)
		return 0;
	all->cancelled = true;
	return CANCEL;
}

/* The others go before the failure is told. */
static void
fire_first_error(struct evresults *all, size_t index)
{
	struct evresult error =
	    first_error(all->parts[index].u.result.data, index);

	all->decided = true;
	work(all, CLEAR | cancel_of_others(all));
	fire(all, error);
}

static bool
are_all_cancelled(const struct evresults *all)
{
	size_t i;

	for (i = 0; i < all->total; i++)
		if (!evresult_is_cancelled_(all->parts[i].u.result))
			return false;
	return true;
}

/* The failure because all of them have failed, which carries these failures. */
static struct evresult
all_errors(struct evresults *all)
{
	const bool cancelled = are_all_cancelled(all);
	struct evfailure *cause = all->parts[0].u.result.data;
	struct evresult result = evresult_wrap_at(cause->file, cause->line,
	    cause, cause->code, "all %zu failed, the first with: %.*s",
	    all->total, QUOTED, cause->message);
	struct evfailure *failure = result.data;

	if (evfailure_attach_(failure, show(all, 0, all->total)))
		failure->cancelled = cancelled;
	return result;
}

static void
decide(struct evresults *all, size_t index, bool last)
{
	const bool failed = evresult_is_failure_(all->parts[index].u.result);

	if (!failed && (all->flags & EVDEFERRED_LIST_FIRE_ON_ONE_CALLBACK))
		fire_one(all, index);
	else if (failed && (all->flags & EVDEFERRED_LIST_FIRE_ON_ONE_ERRBACK))
		fire_first_error(all, index);
	else if (last && (all->flags & RACE))
		fire(all, all_errors(all));
	else if (last)
		fire(all, show(all, 0, all->total));
	else if (failed)
		work(all, cancel_of_others(all));
}

/* The same result once more, but nobody has to free its value. */
static struct evresult
share(struct evresult result)
{
	if (evresult_is_failure_(result))
		return evresult_take_(evresult_from_failure(result.data));
	if (evresult_is_grant_(result))
		return evresult_value(((struct evgrant *)result.data)->value);
	return evresult_value(result.data);
}

/* Takes the result of a part, and returns what goes on down its chain. */
static struct evresult
arrive(struct evpart *part, struct evresult result)
{
	struct evresults *all = part->all;
	const bool last = --all->pending == 0;
	struct evresult rest = result;

	/* The last part has the reference of all; the others need their own. */
	if (!last)
		all->refs++;
	part->all = NULL;
	part->d = NULL;
	part->u.result = evresult_value(NULL);
	if (!all->decided) {
		part->u.result = result;
		rest = share(result);
		decide(all, (size_t)(part - all->parts), last);
	}
	if (evresult_is_failure_(rest) &&
	    (all->flags & EVDEFERRED_LIST_CONSUME_ERRORS)) {
		evresult_dispose(rest);
		rest = evresult_value(NULL);
	}
	unref(all);
	return rest;
}

static void
run_part(const struct evlink *link, struct evdeferred *d)
{
	d->u.result = arrive(link->object, evlink_take_(d));
}

static void
drop_part(const struct evlink *link, struct evdeferred *d)
{
	(void)d;
	evresult_dispose(
	    arrive(link->object, evresult_fixed_(EVFAILURE_CANCELLED)));
}

static const struct evlink_type part_link = {run_part, drop_part};

/*
 * Making.
 */

static int
check(const struct evdefer_base *base, struct evdeferred *const *deferreds,
    size_t count)
{
	size_t i;

	if (base == NULL || (deferreds == NULL && count > 0))
		return evdefer_refuse_(EINVAL);
	evdefer_base_check_(base);
	for (i = 0; i < count; i++) {
		if (deferreds[i] == NULL || deferreds[i]->base != base ||
		    !evdeferred_has_consumer_(deferreds[i]))
			return evdefer_refuse_(EINVAL);
	}
	return 0;
}

static struct evresults *
allocate(struct evdefer_base *base, size_t count)
{
	struct evdefer_base_part *part =
	    evdefer_base_get_part_(base, &combining_type);
	struct evresults *all;

	if (part == NULL)
		return NULL;
	all = malloc(sizeof(*all) + count * sizeof(all->parts[0]));
	if (all == NULL)
		return evdefer_refuse_new_(ENOMEM);
	evlist_init_(&all->node);
	all->base = base;
	all->combining = EVLIST_ELEMENT(part, struct evcombining, part);
	all->d = NULL;
	all->refs = count > 0 ? 2 : 1;
	all->total = all->pending = count;
	all->first = all->count = 0;
	all->due = 0;
	all->decided = all->cancelled = all->shown = false;
	return all;
}

/* No code of the user's runs until all links are in place. */
static void
add_part(struct evresults *all, size_t i, struct evdeferred *d)
{
	struct evlink *link = evlink_append_(d);

	/* The memory was reserved. */
	assert(link != NULL);
	link->type = &part_link;
	link->object = &all->parts[i];
	all->parts[i].all = all;
	all->parts[i].d = d;
	all->parts[i].u.link = link;
}

static void
start(struct evresults *all)
{
	struct evdeferred *d;
	size_t i;

	all->refs++;
	for (i = 0; i < all->total; i++)
		evdeferred_set_(all->parts[i].d, EVDEFERRED_DETACHED);
	for (i = 0; i < all->total; i++) {
		d = all->parts[i].d;
		if (d != NULL)
			evdeferred_deliver_(d);
	}
	if (all->total == 0 &&
	    !(all->flags & EVDEFERRED_LIST_FIRE_ON_ONE_CALLBACK))
		fire(all, show(all, 0, 0));
	unref(all);
}

static struct evdeferred *
combine(struct evdefer_base *base, struct evdeferred *const *deferreds,
    size_t count, unsigned flags)
{
	struct evresults *all;
	struct evdeferred *d;
	size_t i;

	if (check(base, deferreds, count) == -1 ||
	    evpool_reserve_(&base->links, count) == -1)
		return NULL;
	all = allocate(base, count);
	if (all == NULL)
		return NULL;
	d = evdeferred_new_private_(base, leave_or_cancel, all);
	if (d == NULL) {
		free(all);
		return NULL;
	}
	if (count > 0)
		evdeferred_set_(d, EVDEFERRED_ANSWERS);
	evdefer_base_use_(base);
	all->d = d;
	all->flags = flags;
	for (i = 0; i < count; i++)
		add_part(all, i, deferreds[i]);
	start(all);
	return d;
}

struct evdeferred *
evdeferred_list(struct evdefer_base *base, struct evdeferred *const *deferreds,
    size_t count, unsigned flags)
{
	if (flags & ~LIST_FLAGS)
		return evdefer_refuse_new_(EINVAL);
	return combine(base, deferreds, count, flags);
}

struct evdeferred *
evdeferred_gather(struct evdefer_base *base,
    struct evdeferred *const *deferreds, size_t count, unsigned flags)
{
	if (flags & ~GATHER_FLAGS)
		return evdefer_refuse_new_(EINVAL);
	return combine(base, deferreds, count,
	    flags | EVDEFERRED_LIST_FIRE_ON_ONE_ERRBACK);
}

struct evdeferred *
evdeferred_race(struct evdefer_base *base, struct evdeferred *const *deferreds,
    size_t count)
{
	return combine(base, deferreds, count,
	    RACE | EVDEFERRED_LIST_FIRE_ON_ONE_CALLBACK |
		EVDEFERRED_LIST_CONSUME_ERRORS);
}

/*
 * The results.
 */

size_t
evresults_get_count(const struct evresults *results)
{
	return results != NULL ? results->count : 0;
}

static const struct evpart *
part_at(const struct evresults *results, size_t i)
{
	if (i >= evresults_get_count(results))
		return NULL;
	return &results->parts[results->first + i];
}

size_t
evresults_get_index(const struct evresults *results, size_t i)
{
	return part_at(results, i) != NULL ? results->first + i
					   : EVFAILURE_NO_INDEX;
}

struct evresult
evresults_get(const struct evresults *results, size_t i)
{
	const struct evpart *part = part_at(results, i);

	if (part == NULL)
		return evresult_value(NULL);
	if (evresult_is_taken_back_(part->u.result))
		return evresult_fixed_(EVFAILURE_CANCELLED);
	if (evresult_is_failure_(part->u.result))
		return evresult_from_failure(part->u.result.data);
	return share(part->u.result);
}

struct evresult
evresults_take(struct evresults *results, size_t i)
{
	struct evpart *part = (struct evpart *)part_at(results, i);

	if (part == NULL)
		return evresult_value(NULL);
	if (evresult_is_taken_back_(part->u.result)) {
		evresult_dispose(take(part));
		return evresult_fixed_(EVFAILURE_CANCELLED);
	}
	return take(part);
}

const struct evresults *
evfailure_get_results(const struct evfailure *failure)
{
	if (failure == NULL || failure->payload.dispose != dispose_results)
		return NULL;
	return failure->payload.data;
}

void
evresults_free(struct evresults *results)
{
	/* A second time: from the free function of one of them. */
	if (results == NULL || !results->shown)
		return;
	evdefer_base_check_(results->base);
	results->shown = false;
	results->count = 0;
	work(results, CLEAR);
	unref(results);
}
