/* SPDX-License-Identifier: MIT */
/* evcluster_list(): who holds a lock and who waits, as the servers know it. */
#include "clusters.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct evcluster_listing *
take_listing(struct party *party)
{
	struct evdeferred *d = evcluster_list(party->cluster);
	struct seen seen = {0};

	ck_assert_ptr_nonnull(d);
	see(d, &seen);
	fake_run(fake);
	evdeferred_free(d);
	ck_assert_int_eq(seen.values, 1);
	return seen.value;
}

static void
check_entry(const struct evcluster_listing *listing, size_t at,
    const char *lock, bool writer, bool holding)
{
	const struct evcluster_entry *entry = &listing->entries[at];
	char pid[32];

	ck_assert_uint_lt(at, listing->count);
	ck_assert_str_eq(entry->lock, lock);
	ck_assert_int_eq(entry->writer, writer);
	ck_assert_int_eq(entry->holding, holding);
	snprintf(pid, sizeof(pid), " %ld", (long)getpid());
	ck_assert_msg(strstr(entry->who, pid) != NULL, "%s", entry->who);
	ck_assert_int_gt(entry->since_ms, 0);
}

/* It fails while it is under way. */
static void
check_fails(struct evdeferred *d, int code)
{
	struct seen seen = {0};

	see(d, &seen);
	fake_run(fake);
	evdeferred_free(d);
	ck_assert_int_eq(seen.failures, 1);
	ck_assert_int_eq(seen.code, code);
}

START_TEST(where_no_lock_is_there_is_nobody)
{
	struct evcluster_listing *listing;
	struct party a;

	open_party(&a, NULL);
	listing = take_listing(&a);
	ck_assert_uint_eq(listing->count, 0);
	free(listing);
	end_party(&a);
}
END_TEST

START_TEST(list_is_refused_without_a_connection)
{
	struct party a;

	REFUSED_NULL(evcluster_list(NULL), EINVAL);
	make_party(&a, NULL, NULL);
	REFUSED_NULL(evcluster_list(a.cluster), ENOTCONN);
	end_party(&a);
}
END_TEST

/* By lock, and those that hold it before those that wait, in their order. */
START_TEST(those_who_hold_and_those_who_wait)
{
	struct waiter read[2], write[3];
	struct evcluster_listing *listing;
	struct party a, b, c, d;

	open_party(&a, "one");
	open_party(&b, "one");
	open_party(&c, "one");
	open_party(&d, "another");
	enter(&read[0], &a, READ);
	enter(&read[1], &b, READ);
	enter(&write[0], &d, WRITE);
	want_it(&write[1], &c, WRITE);
	fake_run(fake);
	want_it(&write[2], &a, WRITE);
	fake_run(fake);
	listing = take_listing(&d);
	ck_assert_uint_eq(listing->count, 5);
	check_entry(listing, 0, "another", true, true);
	check_entry(listing, 1, "one", false, true);
	check_entry(listing, 2, "one", false, true);
	check_entry(listing, 3, "one", true, false);
	check_entry(listing, 4, "one", true, false);
	free(listing);
	ck_assert_int_eq(leave_it(&read[0], &a), 0);
	ck_assert_int_eq(leave_it(&read[1], &b), 0);
	check_inside(&write[1]);
	listing = take_listing(&d);
	check_entry(listing, 1, "one", true, true);
	free(listing);
	ck_assert_int_eq(leave_it(&write[1], &c), 0);
	ck_assert_int_eq(leave_it(&write[2], &a), 0);
	ck_assert_int_eq(leave_it(&write[0], &d), 0);
	end_party(&a);
	end_party(&b);
	end_party(&c);
	end_party(&d);
}
END_TEST

/* More than there was room for at first. */
START_TEST(who_waits_to_read_is_in_line)
{
	struct evcluster_listing *listing;
	struct waiter w[2], r;
	struct party a, b, c;

	open_party(&a, "x");
	open_party(&b, "x");
	open_party(&c, "x");
	enter(&w[0], &a, WRITE);
	want_it(&r, &b, READ);
	fake_run(fake);
	want_it(&w[1], &c, WRITE);
	fake_run(fake);
	listing = take_listing(&a);
	ck_assert_uint_eq(listing->count, 3);
	check_entry(listing, 0, "x", true, true);
	check_entry(listing, 1, "x", false, false);
	check_entry(listing, 2, "x", true, false);
	free(listing);
	ck_assert_int_eq(leave_it(&w[0], &a), 0);
	ck_assert_int_eq(leave_it(&r, &b), 0);
	check_inside(&w[1]);
	ck_assert_int_eq(leave_it(&w[1], &c), 0);
	end_party(&a);
	end_party(&b);
	end_party(&c);
}
END_TEST

START_TEST(many_locks)
{
	enum { COUNT = 40 };
	struct evrwlock *locks[COUNT];
	struct evcluster_listing *listing;
	struct waiter w[COUNT];
	struct party a;
	char name[16];
	size_t i;

	open_party(&a, NULL);
	for (i = 0; i < COUNT; i++) {
		snprintf(name, sizeof(name), "lock %02zu", i);
		locks[i] = evrwlock_new_in_cluster(a.cluster, name, 0);
		wait_with(&w[i], evrwlock_writer_acquire(locks[i]), locks[i]);
		fake_run(fake);
		check_inside(&w[i]);
	}
	listing = take_listing(&a);
	ck_assert_uint_eq(listing->count, COUNT);
	for (i = 0; i < COUNT; i++) {
		snprintf(name, sizeof(name), "lock %02zu", i);
		check_entry(listing, i, name, true, true);
		evrwlock_writer_release(locks[i]);
		evdeferred_free(w[i].d);
		evrwlock_free(locks[i]);
	}
	free(listing);
	end_party(&a);
}
END_TEST

/* After each of the answers: it is left out, or still there. */
START_TEST(who_leaves_while_it_is_listed)
{
	struct evcluster_listing *listing;
	struct evdeferred *list;
	struct seen seen = {0};
	struct party a, b;
	struct waiter w;
	int i;

	open_party(&a, "x");
	open_party(&b, NULL);
	enter(&w, &a, WRITE);
	list = evcluster_list(b.cluster);
	see(list, &seen);
	for (i = 0; i < _i; i++)
		fake_answer(fake, b.n);
	ck_assert_int_eq(evrwlock_release(a.lock, NULL, WRITE), 0);
	evdeferred_free(w.d);
	end_party(&a);
	fake_reap(fake);
	fake_run(fake);
	ck_assert_int_eq(seen.values, 1);
	listing = seen.value;
	ck_assert_uint_le(listing->count, 1);
	if (listing->count == 1)
		check_entry(listing, 0, "x", true, true);
	free(listing);
	evdeferred_free(list);
	end_party(&b);
}
END_TEST

/* A stranger's names are not of locks or of those who use them, and what is in its
 * nodes is cut off. */
START_TEST(what_strangers_leave_is_no_matter)
{
	static char long_name[80], text[64];
	struct evcluster_listing *listing;
	struct waiter w;
	struct party a;

	open_party(&a, "x");
	enter(&w, &a, WRITE);
	memset(long_name, 'x', sizeof(long_name) - 1);
	memcpy(long_name, "r-", 2);
	memset(text, 't', sizeof(text) - 1);
	fake_text(fake->spoiled, sizeof(fake->spoiled),
	    _i == 0 ? "/evdefer" : "/evdefer/x");
	fake->spoilers[0] = "..";
	fake->spoilers[1] = "w-nothing";
	fake->spoilers[2] = long_name;
	fake->spoilers[3] = "a stranger";
	listing = take_listing(&a);
	ck_assert_uint_eq(listing->count, 1);
	check_entry(listing, 0, "x", true, true);
	free(listing);
	fake->spoiled[0] = '\0';
	ck_assert_int_eq(leave_it(&w, &a), 0);
	end_party(&a);
}
END_TEST

START_TEST(list_that_nobody_wants_any_more)
{
	struct evdeferred *d;
	struct waiter w;
	struct party a;
	int i;

	open_party(&a, "x");
	enter(&w, &a, WRITE);
	d = evcluster_list(a.cluster);
	for (i = 0; i < _i; i++)
		fake_answer(fake, a.n);
	if (_i % 2 == 0)
		evdeferred_cancel(d);
	evdeferred_free(d);
	fake_run(fake);
	ck_assert_int_eq(leave_it(&w, &a), 0);
	end_party(&a);
}
END_TEST

static void
end_session(struct party *party)
{
	fake_end(fake, party->n);
}

static void
cut_off(struct party *party)
{
	fake_cut(fake, party->n, false);
}

static void
free_cluster(struct party *party)
{
	evcluster_free(party->cluster);
	party->cluster = NULL;
}

static void
refuse_to_show(struct party *party)
{
	fake_answer_with(fake, party->n, EVWIRE_NO_AUTH);
}

/* What may happen while it is listed, and what the list fails with. */
static const struct {
	void (*happens)(struct party *party);
	int code;
} fates[] = {
    {end_session, ENOTCONN},
    {cut_off, ENOTCONN},
    {free_cluster, ENOTCONN},
    {refuse_to_show, EACCES},
};

#define FATES ((int)(sizeof(fates) / sizeof(fates[0])))

START_TEST(what_ends_a_list_while_it_is_under_way)
{
	struct evdeferred *d;
	struct party a;

	open_party(&a, "x");
	d = evcluster_list(a.cluster);
	ck_assert_ptr_nonnull(d);
	fates[_i].happens(&a);
	check_fails(d, fates[_i].code);
	end_party(&a);
}
END_TEST

/* The n-th of its requests. */
START_TEST(request_of_a_list_that_cannot_be_sent)
{
	struct evdeferred *d;
	struct waiter w;
	struct party a;

	open_party(&a, "x");
	enter(&w, &a, WRITE);
	fake->fail_send = _i + 1;
	d = evcluster_list(a.cluster);
	check_fails(d, ENOMEM);
	fake->fail_send = 0;
	ck_assert_int_eq(leave_it(&w, &a), 0);
	end_party(&a);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("cluster, lists");
	TCase *tc = add_cluster_case(suite, "list");

	tcase_add_test(tc, where_no_lock_is_there_is_nobody);
	tcase_add_test(tc, list_is_refused_without_a_connection);
	tcase_add_test(tc, those_who_hold_and_those_who_wait);
	tcase_add_test(tc, who_waits_to_read_is_in_line);
	tcase_add_test(tc, many_locks);
	tcase_add_loop_test(tc, who_leaves_while_it_is_listed, 0, 4);
	tcase_add_loop_test(tc, what_strangers_leave_is_no_matter, 0, 2);
	tcase_add_loop_test(tc, list_that_nobody_wants_any_more, 0, 3);
	tcase_add_loop_test(
	    tc, what_ends_a_list_while_it_is_under_way, 0, FATES);
	tcase_add_loop_test(tc, request_of_a_list_that_cannot_be_sent, 0, 3);
	return support_main(suite);
}
