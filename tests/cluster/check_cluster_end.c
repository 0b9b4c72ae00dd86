/* SPDX-License-Identifier: MIT */
/* Clusters that are closed and freed, at any time, and servers that refuse. */
#include "clusters.h"

#include <stdio.h>
#include <string.h>

START_TEST(closing_gives_all_back)
{
	struct evdeferred *closed, *again, *lost;
	struct seen seen[3] = {{0}};
	struct waiter w, waits, next;
	struct party a, b;

	open_party(&a, "x");
	open_party(&b, "x");
	enter(&w, &a, WRITE);
	lost = evrwlock_lost(a.lock);
	see(lost, &seen[0]);
	want_it(&waits, &a, READ);
	want_it(&next, &b, WRITE);
	fake_run(fake);
	closed = evcluster_close(a.cluster);
	see(closed, &seen[1]);
	again = evcluster_close(a.cluster);
	see(again, &seen[2]);
	fake_run(fake);
	ck_assert_int_eq(seen[0].values, 1);
	ck_assert_int_eq(seen[1].values, 1);
	ck_assert_int_eq(seen[2].values, 1);
	ck_assert_int_eq(a.state, EVCLUSTER_CLOSED);
	check_refused(&waits, ENOTCONN, "/evdefer/x");
	check_inside(&next);
	ck_assert_uint_eq(fake_count(fake, "/evdefer/x/m-"), 1);
	REFUSED(evrwlock_check(a.lock), ESTALE);
	REFUSED(leave_it(&w, &a), ESTALE);
	evdeferred_free(waits.d);
	/* A lock that is closed. */
	want_it(&waits, &a, WRITE);
	fake_run(fake);
	check_refused(&waits, ENOTCONN, "/evdefer/x");
	evdeferred_free(waits.d);
	/* And it works again. */
	ck_assert_int_eq(leave_it(&next, &b), 0);
	evdeferred_free(evcluster_connect(a.cluster));
	enter(&w, &a, WRITE);
	ck_assert_int_eq(evrwlock_check(a.lock), 0);
	ck_assert_int_eq(leave_it(&w, &a), 0);
	evdeferred_free(lost);
	evdeferred_free(closed);
	evdeferred_free(again);
	end_party(&a);
	end_party(&b);
}
END_TEST

/* It does not wait for longer than a second for servers that do not answer. */
START_TEST(closing_ends_without_the_servers)
{
	struct evdeferred *closed;
	struct seen seen = {0};
	struct waiter w;
	struct party a;

	open_party(&a, "x");
	enter(&w, &a, WRITE);
	closed = evcluster_close(a.cluster);
	see(closed, &seen);
	fake_turn(fake);
	clock_advance(999);
	fake_turn(fake);
	ck_assert_int_eq(seen.values, 0);
	clock_advance(1);
	fake_turn(fake);
	ck_assert_int_eq(seen.values, 1);
	evdeferred_free(closed);
	REFUSED(leave_it(&w, &a), ESTALE);
	end_party(&a);
	ck_assert_uint_eq(fake_count(fake, "/evdefer/x/"), 0);
}
END_TEST

START_TEST(connecting_while_it_closes)
{
	struct evdeferred *closed, *connected;
	struct seen seen[2] = {{0}};
	struct waiter w;
	struct party a;

	open_party(&a, "x");
	enter(&w, &a, WRITE);
	closed = evcluster_close(a.cluster);
	connected = evcluster_connect(a.cluster);
	see(closed, &seen[0]);
	see(connected, &seen[1]);
	fake_run(fake);
	ck_assert_int_eq(seen[0].values, 1);
	ck_assert_int_eq(seen[1].values, 1);
	REFUSED(leave_it(&w, &a), ESTALE);
	enter(&w, &a, WRITE);
	ck_assert_int_eq(leave_it(&w, &a), 0);
	evdeferred_free(closed);
	evdeferred_free(connected);
	end_party(&a);
}
END_TEST

START_TEST(who_waits_for_the_connection_is_told_of_the_end)
{
	struct evdeferred *d;
	struct seen seen = {0};
	struct party a;

	fake->away = true;
	make_party(&a, "x", NULL);
	d = evcluster_connect(a.cluster);
	see(d, &seen);
	fake_run(fake);
	evcluster_free(a.cluster);
	a.cluster = NULL;
	fake_run(fake);
	ck_assert_int_eq(seen.code, ESHUTDOWN);
	evdeferred_free(d);
	end_party(&a);
}
END_TEST

/* Its cluster is gone: a lock remains as after a close, for good. */
START_TEST(a_lock_that_is_left)
{
	struct waiter w, waits;
	struct party a;

	open_party(&a, "x");
	enter(&w, &a, WRITE);
	want_it(&waits, &a, READ);
	evcluster_free(a.cluster);
	a.cluster = NULL;
	fake_run(fake);
	check_refused(&waits, ENOTCONN, "/evdefer/x");
	evdeferred_free(waits.d);
	REFUSED(evrwlock_check(a.lock), ESTALE);
	REFUSED(leave_it(&w, &a), ESTALE);
	REFUSED(evrwlock_try(a.lock, NULL, READ), EBUSY);
	want_it(&w, &a, WRITE);
	fake_run(fake);
	check_refused(&w, ENOTCONN, "/evdefer/x");
	evdeferred_free(w.d);
	ck_assert_ptr_null(fake_find_like(fake, "/evdefer/x/"));
	end_party(&a);
}
END_TEST

/* What is still to be given back is, in the background. */
START_TEST(a_lock_that_is_freed_while_it_is_held)
{
	struct waiter w, waits, next;
	struct party a, b;

	open_party(&a, "x");
	open_party(&b, "x");
	enter(&w, &a, WRITE);
	want_it(&waits, &a, WRITE);
	want_it(&next, &b, WRITE);
	fake_run(fake);
	evrwlock_free(a.lock);
	fake_run(fake);
	ck_assert_int_eq(waits.failed, ESHUTDOWN);
	check_waits(&next);
	ck_assert_int_eq(leave_it(&w, &a), 0);
	check_inside(&next);
	a.lock = NULL;
	evdeferred_free(waits.d);
	ck_assert_int_eq(leave_it(&next, &b), 0);
	end_party(&a);
	end_party(&b);
}
END_TEST

START_TEST(a_base_that_is_freed_first)
{
	struct evdeferred *d, *lost;
	struct seen seen[2] = {{0}};
	struct waiter w, waits;
	struct party a, b;

	open_party(&a, "x");
	enter(&w, &a, WRITE);
	want_it(&waits, &a, READ);
	lost = evrwlock_lost(a.lock);
	see(lost, &seen[0]);
	fake->away = true;
	make_party(&b, "x", NULL);
	d = evcluster_connect(b.cluster);
	see(d, &seen[1]);
	fake_run(fake);
	support_free_base();
	ck_assert_int_eq(seen[1].code, ESHUTDOWN);
	ck_assert_int_ne(seen[0].values + seen[0].failures, 0);
	ck_assert_int_ne(waits.failed, 0);
	REFUSED_NULL(evcluster_connect(a.cluster), ESHUTDOWN);
	REFUSED_NULL(evrwlock_new_in_cluster(a.cluster, "y", 0), ESHUTDOWN);
	evdeferred_free(d);
	evdeferred_free(lost);
	evdeferred_free(w.d);
	evdeferred_free(waits.d);
	evrwlock_release(a.lock, NULL, WRITE);
	evrwlock_free(a.lock);
	evcluster_free(a.cluster);
	evrwlock_free(b.lock);
	evcluster_free(b.cluster);
}
END_TEST

/*
 * From inside of all that is called.
 */

static struct party *victim;
static struct evrwlock *left; /* somebody is inside of it, and may release */
static int calls;

static void
free_it_all(struct party *party)
{
	calls++;
	left = party->lock;
	evrwlock_free(party->lock);
	evcluster_free(party->cluster);
	party->lock = NULL;
	party->cluster = NULL;
}

static void
start_closing(struct party *party)
{
	struct evdeferred *d = evcluster_close(party->cluster);

	ck_assert_ptr_nonnull(d);
	evdeferred_free(d);
}

static void
close_it(struct party *party)
{
	calls++;
	start_closing(party);
}

static void (*const ways[])(struct party *) = {free_it_all, close_it};

static enum evcluster_state fatal;
static void (*fatal_way)(struct party *);

static void
end_in_state(struct party *party)
{
	if (party->state == fatal && calls == 0)
		fatal_way(party);
}

static void
release_left(struct party *party, bool inside)
{
	struct evrwlock *lock = party->lock != NULL ? party->lock : left;

	if (inside)
		evrwlock_release(lock, NULL, WRITE);
}

/* Each state that is told, with one that holds and one that waits. */
START_TEST(the_end_comes_while_a_state_is_told)
{
	struct evdeferred *d;
	struct seen seen = {0};
	struct waiter w, waits;
	struct party a;

	fatal = (enum evcluster_state)(_i / 2);
	fatal_way = ways[_i % 2];
	calls = 0;
	make_party(&a, "x", NULL);
	a.in_state = end_in_state;
	want_it(&w, &a, WRITE);
	want_it(&waits, &a, READ);
	d = evcluster_connect(a.cluster);
	see(d, &seen);
	fake_run(fake);
	if (a.cluster != NULL && calls == 0) {
		ck_assert_ptr_nonnull(fake->wires[0].session);
		fake_end(fake, 0);
	}
	if (a.cluster != NULL && calls == 0)
		start_closing(&a);
	fake_run(fake);
	ck_assert_int_eq(calls, 1);
	clock_advance(1000);
	fake_run(fake);
	ck_assert_int_ne(w.ended, 0);
	evdeferred_free(d);
	evdeferred_free(w.d);
	release_left(&a, w.granted > 0);
	fake_run(fake);
	end_party(&a);
	evdeferred_free(waits.d);
	fake_run(fake);
	ck_assert_uint_eq(fake_count(fake, "/evdefer/x/"), 0);
}
END_TEST

static struct evresult
end_in_value(void *value, void *arg)
{
	(void)value;
	(*(void (*const *)(struct party *))arg)(victim);
	return evresult_value(NULL);
}

static struct evresult
end_in_failure(struct evfailure *failure, void *arg)
{
	(void)failure;
	return end_in_value(NULL, arg);
}

/* Each Deferred that fires. */
START_TEST(the_end_comes_while_a_result_is_told)
{
	void (*const *way)(struct party *) = &ways[_i % 2];
	struct evdeferred *d, *connected;
	struct waiter w;
	struct party a, b;

	calls = 0;
	open_party(&b, "x");
	enter(&w, &b, WRITE);
	make_party(&a, "x", NULL);
	victim = &a;
	connected = evcluster_connect(a.cluster);
	if (_i / 2 == 0)
		evdeferred_add_callback(connected, end_in_value, (void *)way);
	fake_run(fake);
	d = calls == 0 ? evrwlock_acquire(a.lock, NULL, WRITE) : NULL;
	if (d != NULL)
		evdeferred_add_callbacks(
		    d, end_in_value, end_in_failure, (void *)way);
	fake_run(fake);
	if (_i / 2 == 1 && calls == 0)
		start_closing(&a);
	fake_run(fake);
	ck_assert_int_eq(leave_it(&w, &b), 0);
	ck_assert_int_eq(calls, 1);
	clock_advance(1000);
	fake_run(fake);
	evdeferred_free(d);
	evdeferred_free(connected);
	release_left(&a, _i / 2 == 2);
	end_party(&a);
	enter(&w, &b, WRITE);
	ck_assert_int_eq(leave_it(&w, &b), 0);
	end_party(&b);
}
END_TEST

START_TEST(the_end_comes_while_a_loss_is_told)
{
	void (*const *way)(struct party *) = &ways[_i % 2];
	struct evdeferred *lost;
	struct waiter w, waits;
	struct party a;

	calls = 0;
	open_party(&a, "x");
	victim = &a;
	enter(&w, &a, WRITE);
	want_it(&waits, &a, READ);
	lost = evrwlock_lost(a.lock);
	evdeferred_add_callback(lost, end_in_value, (void *)way);
	switch (_i / 2) {
	case 0:
		fake_end(fake, a.n);
		break;
	case 1:
		clock_advance(2L * THIRD_MS);
		fake_turn(fake);
		break;
	case 2:
		clock_advance(2L * THIRD_MS);
		REFUSED(evrwlock_check(a.lock), ESTALE);
		break;
	default:
		fake_delete(fake, fake_find_like(fake, "/evdefer/x/w-")->path);
		break;
	}
	fake_run(fake);
	ck_assert_int_eq(calls, 1);
	clock_advance(1000);
	fake_run(fake);
	ck_assert_int_ne(waits.failed, 0);
	evdeferred_free(lost);
	evdeferred_free(w.d);
	evdeferred_free(waits.d);
	release_left(&a, true);
	end_party(&a);
}
END_TEST

/*
 * Servers that refuse.
 */

START_TEST(credentials_that_are_refused)
{
	struct evcluster_options options = {
	    .auth_scheme = "digest", .auth_credentials = "me:secret"};
	struct evdeferred *d;
	struct seen seen = {0};
	struct waiter w;
	struct party a;

	fake->refuse = true;
	make_party(&a, "x", &options);
	want_it(&w, &a, WRITE);
	d = evcluster_connect(a.cluster);
	see(d, &seen);
	fake_run(fake);
	ck_assert_int_eq(seen.code, EACCES);
	check_refused(&w, EACCES, "credentials");
	ck_assert_int_eq(a.state, EVCLUSTER_CLOSED);
	ck_assert(strstr(a.sentence, "digest") != NULL);
	evdeferred_free(d);
	evdeferred_free(w.d);
	/* Another try. */
	fake->refuse = false;
	evdeferred_free(evcluster_connect(a.cluster));
	enter(&w, &a, WRITE);
	ck_assert_int_eq(leave_it(&w, &a), 0);
	end_party(&a);
}
END_TEST

START_TEST(nodes_are_for_their_creator_alone)
{
	struct evcluster_options options = {.auth_scheme = "digest",
	    .auth_credentials = "me:secret",
	    .creator_only = true};
	struct waiter w[3];
	struct party a, b, c;

	make_party(&a, "x", &options);
	make_party(&b, "x", &options);
	evdeferred_free(evcluster_connect(a.cluster));
	evdeferred_free(evcluster_connect(b.cluster));
	fake_run(fake);
	open_party(&c, "x");
	enter(&w[0], &a, WRITE);
	want_it(&w[1], &b, WRITE);
	want_it(&w[2], &c, READ);
	fake_run(fake);
	check_refused(&w[2], EACCES, "/evdefer/x");
	ck_assert(strstr(w[2].message, "127.0.0.1:2181") != NULL);
	evdeferred_free(w[2].d);
	ck_assert_int_eq(leave_it(&w[0], &a), 0);
	check_inside(&w[1]);
	ck_assert_int_eq(leave_it(&w[1], &b), 0);
	end_party(&a);
	end_party(&b);
	end_party(&c);
}
END_TEST

/* It is asked again when somebody asks again. */
START_TEST(a_node_that_may_not_be_touched)
{
	struct waiter w[2];
	struct party a;
	int mode;

	for (mode = 0; mode < 2; mode++) {
		open_party(&a, "x");
		fake_text(
		    fake->forbidden, sizeof(fake->forbidden), "/evdefer/x");
		want_it(&w[0], &a, mode == 0 ? WRITE : READ);
		want_it(&w[1], &a, READ);
		fake_run(fake);
		check_refused(&w[0], EACCES, "/evdefer/x");
		check_refused(&w[1], EACCES, "/evdefer/x");
		evdeferred_free(w[0].d);
		evdeferred_free(w[1].d);
		fake->forbidden[0] = '\0';
		want_it(&w[0], &a, WRITE);
		pass(TIMEOUT_MS);
		check_inside(&w[0]);
		ck_assert_int_eq(leave_it(&w[0], &a), 0);
		end_party(&a);
		fake_reap(fake);
	}
}
END_TEST

/* Nodes of others, and names of any bytes. */
START_TEST(what_is_none_of_our_locks)
{
	static const char *const names[] = {"w-", "w-x", "w-x-", "w-x-1y",
	    "w-\xff\xfe", "w-1.1-99999999999",
	    "w-0123456789012345678901234567890123456789012345678901234567890-1",
	    "w--", "w-x-0x10"};
	struct waiter w;
	struct party a;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
		open_party(&a, "x");
		fake_text(fake->spoiled, sizeof(fake->spoiled), "/evdefer/x");
		fake->spoilers[0] = names[i];
		want_it(&w, &a, i % 2 == 0 ? WRITE : READ);
		fake_run(fake);
		check_refused(&w, EPROTO, "/evdefer/x");
		evdeferred_free(w.d);
		fake->spoilers[0] = NULL;
		want_it(&w, &a, READ);
		pass(SIXTH_MS);
		check_inside(&w);
		ck_assert_int_eq(leave_it(&w, &a), 0);
		ck_assert_uint_eq(fake_count(fake, "/evdefer/x/w-"), 0);
		end_party(&a);
	}
}
END_TEST

/* What others keep there, and do not call as we do. */
START_TEST(strangers_are_left_alone)
{
	struct waiter w;
	struct party a;

	open_party(&a, "x");
	fake->spoilers[0] = "\xff\n";
	fake->spoilers[1] = "lock-0000000001";
	fake->spoilers[2] = "_c_8c-READ-0000000007";
	fake_text(fake->spoiled, sizeof(fake->spoiled), "/evdefer/x");
	enter(&w, &a, WRITE);
	ck_assert_int_eq(leave_it(&w, &a), 0);
	enter(&w, &a, READ);
	ck_assert_int_eq(leave_it(&w, &a), 0);
	end_party(&a);
}
END_TEST

/* An answer that makes no sense, to each of the requests. */
START_TEST(answers_that_make_no_sense)
{
	struct waiter w;
	struct party a;
	int n;

	for (n = 0; n < 8; n++) {
		int i;

		open_party(&a, "x");
		want_it(&w, &a, _i == 0 ? WRITE : READ);
		for (i = 0; i < n && fake->wires[a.n].queued > 0; i++)
			fake_answer(fake, a.n);
		if (fake->wires[a.n].queued > 0)
			fake_answer_with(fake, a.n, EVWIRE_BAD);
		pass(2L * SIXTH_MS);
		if (w.failed != 0) {
			check_refused(&w, EPROTO, "/evdefer/x");
			evdeferred_free(w.d);
			want_it(&w, &a, WRITE);
			pass(2L * SIXTH_MS);
		}
		check_inside(&w);
		ck_assert_int_eq(leave_it(&w, &a), 0);
		pass(2L * SIXTH_MS);
		ck_assert_uint_eq(fake_count(fake, "/evdefer/x/w-"), 0);
		end_party(&a);
	}
}
END_TEST

/* kazoo 730.  The servers of 3.8 stay at the last number. */
START_TEST(numbers_of_the_line_run_over)
{
	struct waiter w[2];
	struct party a, b;

	fake->tree.wraps = _i == 1;
	open_party(&a, "x");
	open_party(&b, "x");
	enter(&w[0], &a, WRITE);
	ck_assert_int_eq(leave_it(&w[0], &a), 0);
	enter(&w[0], &b, WRITE);
	ck_assert_int_eq(leave_it(&w[0], &b), 0);
	fake_set_counter(fake, "/evdefer/x", INT32_MAX - 1);
	enter(&w[0], &b, WRITE);
	want_it(&w[1], &a, WRITE);
	fake_run(fake);
	check_refused(&w[1], EPROTO, "/evdefer/x");
	evdeferred_free(w[1].d);
	want_it(&w[1], &a, WRITE);
	pass(SIXTH_MS);
	check_refused(&w[1], EPROTO, "number");
	evdeferred_free(w[1].d);
	ck_assert_int_eq(evrwlock_check(b.lock), 0);
	ck_assert_int_eq(leave_it(&w[0], &b), 0);
	pass(SIXTH_MS);
	ck_assert_uint_eq(fake_count(fake, "/evdefer/x/w-"), 0);
	end_party(&a);
	end_party(&b);
	/* It begins anew when all have closed it. */
	fake_reap(fake);
	open_party(&a, "x");
	enter(&w[0], &a, WRITE);
	ck_assert_int_eq(leave_it(&w[0], &a), 0);
	end_party(&a);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("cluster, ends");
	TCase *tc = add_cluster_case(suite, "ends");

	tcase_add_test(tc, closing_gives_all_back);
	tcase_add_test(tc, closing_ends_without_the_servers);
	tcase_add_test(tc, connecting_while_it_closes);
	tcase_add_test(tc, who_waits_for_the_connection_is_told_of_the_end);
	tcase_add_test(tc, a_lock_that_is_left);
	tcase_add_test(tc, a_lock_that_is_freed_while_it_is_held);
	tcase_add_test(tc, a_base_that_is_freed_first);
	tcase_add_loop_test(tc, the_end_comes_while_a_state_is_told, 0, 10);
	tcase_add_loop_test(tc, the_end_comes_while_a_result_is_told, 0, 6);
	tcase_add_loop_test(tc, the_end_comes_while_a_loss_is_told, 0, 8);
	tc = add_cluster_case(suite, "refusals");
	tcase_add_test(tc, credentials_that_are_refused);
	tcase_add_test(tc, nodes_are_for_their_creator_alone);
	tcase_add_test(tc, a_node_that_may_not_be_touched);
	tcase_add_test(tc, what_is_none_of_our_locks);
	tcase_add_test(tc, strangers_are_left_alone);
	tcase_add_loop_test(tc, answers_that_make_no_sense, 0, 2);
	tcase_add_loop_test(tc, numbers_of_the_line_run_over, 0, 2);
	return support_main(suite);
}
