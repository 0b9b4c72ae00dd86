/* SPDX-License-Identifier: MIT */
/* Locks of a cluster while all is well. */
#include "clusters.h"

#include <stdio.h>
#include <string.h>

#include <evdefer/group.h>

START_TEST(what_can_not_be_is_refused)
{
	static const char *const servers[] = {"", ",", "a,,b", ":2181",
	    "a:", "a:0", "a:65536", "a:x", "[::1", "a b"};
	static const char *const roots[] = {
	    "", "x", "/", "/x/", "//x", "/x/.", "/../x"};
	struct evcluster_options options = {0};
	struct evdefer_base *none = NULL;
	struct party a;
	size_t i;

	REFUSED_NULL(evcluster_new_on_(none, "a", NULL, fake_open), EINVAL);
	REFUSED_NULL(evcluster_new_on_(base, NULL, NULL, fake_open), EINVAL);
	for (i = 0; i < sizeof(servers) / sizeof(*servers); i++)
		REFUSED_NULL(
		    evcluster_new_on_(base, servers[i], NULL, fake_open),
		    EINVAL);
	for (i = 0; i < sizeof(roots) / sizeof(*roots); i++) {
		options.root = roots[i];
		REFUSED_NULL(
		    evcluster_new_on_(base, "a", &options, fake_open), EINVAL);
	}
	options.root = NULL;
	options.session_timeout_ms = -1;
	REFUSED_NULL(evcluster_new_on_(base, "a", &options, fake_open), EINVAL);
	options.session_timeout_ms = 0;
	options.creator_only = true;
	REFUSED_NULL(evcluster_new_on_(base, "a", &options, fake_open), EINVAL);
	options.creator_only = false;
	options.auth_scheme = "digest";
	REFUSED_NULL(evcluster_new_on_(base, "a", &options, fake_open), EINVAL);
	REFUSED_NULL(evcluster_connect(NULL), EINVAL);
	REFUSED_NULL(evcluster_close(NULL), EINVAL);
	evcluster_free(NULL);
	ck_assert_int_eq(evcluster_get_state(NULL), EVCLUSTER_CLOSED);
	make_party(&a, NULL, NULL);
	ck_assert_int_eq(evcluster_get_state(a.cluster), EVCLUSTER_CLOSED);
	end_party(&a);
}
END_TEST

START_TEST(names_of_locks)
{
	static const char *const bad[] = {"", ".", "..", "a/b", "a\nb", "\x7f"};
	char name[202];
	struct party a;
	size_t i;

	make_party(&a, NULL, NULL);
	REFUSED_NULL(evrwlock_new_in_cluster(NULL, "x", 0), EINVAL);
	REFUSED_NULL(evrwlock_new_in_cluster(a.cluster, NULL, 0), EINVAL);
	REFUSED_NULL(evrwlock_new_in_cluster(a.cluster, "x", 1U << 30), EINVAL);
	REFUSED_NULL(
	    evrwlock_new_in_cluster(a.cluster, "x", EVRWLOCK_FAIR), ENOTSUP);
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		REFUSED_NULL(
		    evrwlock_new_in_cluster(a.cluster, bad[i], 0), EINVAL);
	memset(name, 'n', sizeof(name));
	name[201] = '\0';
	REFUSED_NULL(evrwlock_new_in_cluster(a.cluster, name, 0), EINVAL);
	end_party(&a);
}
END_TEST

/* The longest, and one of other letters. */
START_TEST(a_name_is_used_as_it_is)
{
	char names[2][201] = {"", "\xc3\xa4 \xe2\x82\xac..."}, path[512];
	struct waiter w;
	struct party a;
	int i;

	memset(names[0], 'n', 200);
	for (i = 0; i < 2; i++) {
		open_party(&a, names[i]);
		ck_assert_str_eq(evrwlock_get_name(a.lock), names[i]);
		enter(&w, &a, WRITE);
		snprintf(path, sizeof(path), "/evdefer/%s", names[i]);
		ck_assert_ptr_nonnull(fake_find(fake, path));
		ck_assert_int_eq(leave_it(&w, &a), 0);
		end_party(&a);
	}
}
END_TEST

START_TEST(connecting_is_told)
{
	struct evdeferred *first, *second;
	struct seen seen[2] = {{0}};
	struct party a;

	make_party(&a, "x", NULL);
	first = evcluster_connect(a.cluster);
	second = evcluster_connect(a.cluster);
	see(first, &seen[0]);
	see(second, &seen[1]);
	fake_turn(fake);
	ck_assert_int_eq(a.told[EVCLUSTER_CONNECTING], 1);
	ck_assert(strstr(a.sentence, "127.0.0.1:2181") != NULL);
	ck_assert_int_eq(seen[0].values, 0);
	fake_run(fake);
	ck_assert_int_eq(a.told[EVCLUSTER_CONNECTED], 1);
	ck_assert_int_eq(seen[0].values, 1);
	ck_assert_int_eq(seen[1].values, 1);
	evdeferred_free(first);
	evdeferred_free(second);
	first = evcluster_connect(a.cluster);
	seen[0].values = 0;
	see(first, &seen[0]);
	fake_run(fake);
	ck_assert_int_eq(seen[0].values, 1);
	evdeferred_free(first);
	ck_assert_int_eq(a.told[EVCLUSTER_CONNECTED], 1);
	end_party(&a);
}
END_TEST

/* Who gives up waiting ends the wait, not the connection. */
START_TEST(a_wait_for_the_connection_is_cancelled)
{
	struct evdeferred *d;
	struct party a;

	make_party(&a, "x", NULL);
	d = evcluster_connect(a.cluster);
	evdeferred_cancel(d);
	evdeferred_free(d);
	fake_run(fake);
	ck_assert_int_eq(a.state, EVCLUSTER_CONNECTED);
	end_party(&a);
}
END_TEST

/* Acquires wait while no server is reached. */
START_TEST(who_asks_before_the_connection_waits)
{
	struct waiter w, r;
	struct party a;

	fake->away = true;
	make_party(&a, "x", NULL);
	want_it(&w, &a, WRITE);
	evdeferred_free(evcluster_connect(a.cluster));
	fake_run(fake);
	pass(TIMEOUT_MS);
	want_it(&r, &a, READ);
	REFUSED(evrwlock_try(a.lock, NULL, READ), EBUSY);
	check_waits(&w);
	fake->away = false;
	fake_run(fake);
	check_inside(&w);
	check_waits(&r);
	ck_assert_int_eq(leave_it(&w, &a), 0);
	check_inside(&r);
	ck_assert_int_eq(leave_it(&r, &a), 0);
	end_party(&a);
}
END_TEST

START_TEST(a_writer_is_alone)
{
	struct waiter w[2], r;
	struct party a, b;
	uint64_t token;

	open_party(&a, "x");
	open_party(&b, "x");
	ck_assert_uint_eq(evrwlock_get_token(a.lock), 0);
	enter(&w[0], &a, WRITE);
	token = evrwlock_get_token(a.lock);
	ck_assert_uint_gt(token, 0);
	ck_assert_uint_eq(token, fake_find_like(fake, "/evdefer/x/w-")->czxid);
	want_it(&w[1], &b, WRITE);
	fake_run(fake);
	want_it(&r, &a, READ);
	fake_run(fake);
	check_waits(&w[1]);
	check_waits(&r);
	REFUSED(evrwlock_try(b.lock, NULL, READ), EBUSY);
	ck_assert_int_eq(leave_it(&w[0], &a), 0);
	check_inside(&w[1]);
	check_waits(&r);
	ck_assert_uint_lt(token, evrwlock_get_token(b.lock));
	ck_assert_uint_eq(evrwlock_get_token(a.lock), 0);
	ck_assert_int_eq(evrwlock_check(b.lock), 0);
	ck_assert_int_eq(leave_it(&w[1], &b), 0);
	check_inside(&r);
	ck_assert_int_eq(leave_it(&r, &a), 0);
	end_party(&a);
	end_party(&b);
	ck_assert_ptr_null(fake_find_like(fake, "/evdefer/x/m-"));
}
END_TEST

START_TEST(readers_share_until_a_writer_asks)
{
	struct waiter r[3], w;
	struct party a, b, c;

	open_party(&a, "x");
	open_party(&b, "x");
	open_party(&c, "x");
	enter(&r[0], &a, READ);
	enter(&r[1], &b, READ);
	want_it(&w, &c, WRITE);
	fake_run(fake);
	check_waits(&w);
	/* A writer that waits holds back those that come after it. */
	want_it(&r[2], &a, READ);
	fake_run(fake);
	check_waits(&r[2]);
	REFUSED(evrwlock_try(b.lock, NULL, READ), EBUSY);
	ck_assert_int_eq(leave_it(&r[0], &a), 0);
	check_waits(&w);
	ck_assert_int_eq(leave_it(&r[1], &b), 0);
	check_inside(&w);
	check_waits(&r[2]);
	ck_assert_int_eq(leave_it(&w, &c), 0);
	check_inside(&r[2]);
	ck_assert_int_eq(leave_it(&r[2], &a), 0);
	end_party(&a);
	end_party(&b);
	end_party(&c);
}
END_TEST

START_TEST(nothing_is_sent_under_a_kept_right_to_read)
{
	struct waiter r;
	struct party a;
	unsigned long sent;
	int i;

	open_party(&a, "x");
	enter(&r, &a, READ);
	ck_assert_int_eq(leave_it(&r, &a), 0);
	sent = fake->sent_all;
	for (i = 0; i < 1000; i++) {
		ck_assert_int_eq(evrwlock_try(a.lock, NULL, READ), 0);
		ck_assert_int_eq(evrwlock_reader_release(a.lock), 0);
		fake_turn(fake);
	}
	enter(&r, &a, READ);
	ck_assert_int_eq(leave_it(&r, &a), 0);
	ck_assert_uint_eq(fake->sent_all, sent);
	end_party(&a);
}
END_TEST

START_TEST(a_kept_right_to_read_is_recalled)
{
	struct waiter r, w;
	struct party a, b;

	open_party(&a, "x");
	open_party(&b, "x");
	enter(&r, &a, READ);
	ck_assert_int_eq(leave_it(&r, &a), 0);
	ck_assert_uint_eq(fake_count(fake, "/evdefer/x/r-"), 1);
	enter(&w, &b, WRITE);
	ck_assert_uint_eq(fake_count(fake, "/evdefer/x/r-"), 0);
	REFUSED(evrwlock_try(a.lock, NULL, READ), EBUSY);
	ck_assert_int_eq(leave_it(&w, &b), 0);
	end_party(&a);
	end_party(&b);
}
END_TEST

/* The process has written, so that it keeps no right, and there is a node for readers. */
static void
write_once(struct party *party)
{
	struct waiter w;

	enter(&w, party, READ);
	ck_assert_int_eq(leave_it(&w, party), 0);
	enter(&w, party, WRITE);
	ck_assert_int_eq(leave_it(&w, party), 0);
}

/* In the go with which it lines up it looks who was before it. */
START_TEST(who_reads_asks_once)
{
	struct waiter r;
	struct party a;

	open_party(&a, "x");
	write_once(&a);
	want_it(&r, &a, READ);
	ck_assert_uint_eq(fake->wires[a.n].queued, 2);
	ck_assert_int_eq(fake->wires[a.n].queue[0].op, FAKE_LINE_UP);
	ck_assert_int_eq(fake->wires[a.n].queue[1].op, FAKE_LIST);
	fake_answer(fake, a.n);
	fake_answer(fake, a.n);
	fake_turn(fake);
	check_inside(&r);
	ck_assert_int_eq(leave_it(&r, &a), 0);
	end_party(&a);
}
END_TEST

START_TEST(who_has_read_lines_up_in_the_same_go)
{
	struct waiter r, w;
	struct party a;
	unsigned long removals, lists;

	open_party(&a, "x");
	enter(&r, &a, READ);
	ck_assert_int_eq(leave_it(&r, &a), 0);
	removals = fake->sent[FAKE_REMOVE];
	lists = fake->sent[FAKE_LIST];
	want_it(&w, &a, WRITE);
	ck_assert_uint_eq(fake->wires[a.n].queued, 2);
	ck_assert_int_eq(fake->wires[a.n].queue[0].op, FAKE_LINE_UP);
	fake_run(fake);
	check_inside(&w);
	ck_assert_uint_eq(fake_count(fake, "/evdefer/x/r-"), 0);
	ck_assert_uint_eq(fake->sent[FAKE_REMOVE], removals);
	/* What it has done itself is nothing to look at again. */
	ck_assert_uint_eq(fake->sent[FAKE_LIST], lists + 1);
	ck_assert_int_eq(leave_it(&w, &a), 0);
	end_party(&a);
}
END_TEST

/* Then nothing of that go is done, and it comes to write all the same. */
START_TEST(the_node_of_who_has_read_is_gone_as_it_lines_up)
{
	struct waiter r, w;
	struct party a;

	open_party(&a, "x");
	enter(&r, &a, READ);
	ck_assert_int_eq(leave_it(&r, &a), 0);
	want_it(&w, &a, WRITE);
	fake_delete(fake, fake_find_like(fake, "/evdefer/x/r-")->path);
	fake_run(fake);
	check_inside(&w);
	ck_assert_uint_eq(fake_count(fake, "/evdefer/x/w-"), 1);
	ck_assert_int_eq(leave_it(&w, &a), 0);
	end_party(&a);
	ck_assert_uint_eq(fake_count(fake, "/evdefer/x/w-"), 0);
}
END_TEST

/* Who comes to write after it waits, and who has come before does not. */
START_TEST(who_reads_waits_for_those_before_it)
{
	struct waiter r, w[2];
	struct party a, b, c;

	open_party(&a, "x");
	open_party(&b, "x");
	open_party(&c, "x");
	enter(&w[0], &b, WRITE);
	want_it(&r, &a, READ);
	fake_run(fake);
	want_it(&w[1], &c, WRITE);
	fake_run(fake);
	check_waits(&r);
	ck_assert_int_eq(leave_it(&w[0], &b), 0);
	check_inside(&r);
	check_waits(&w[1]);
	ck_assert_int_eq(leave_it(&r, &a), 0);
	check_inside(&w[1]);
	ck_assert_int_eq(leave_it(&w[1], &c), 0);
	end_party(&a);
	end_party(&b);
	end_party(&c);
}
END_TEST

/* It goes to the end of the line, in the same go: no writer that waits comes after it. */
START_TEST(who_has_written_goes_to_the_end_to_read)
{
	struct waiter r, w[2];
	struct party a, b;
	unsigned long removals;
	uint64_t token;

	open_party(&a, "x");
	open_party(&b, "x");
	enter(&w[0], &a, WRITE);
	want_it(&r, &a, READ);
	want_it(&w[1], &b, WRITE);
	fake_run(fake);
	removals = fake->sent[FAKE_REMOVE];
	ck_assert_int_eq(leave_it(&w[0], &a), 0);
	ck_assert_uint_eq(fake->sent[FAKE_REMOVE], removals);
	ck_assert_uint_eq(fake_count(fake, "/evdefer/x/w-"), 1);
	ck_assert_uint_eq(fake_count(fake, "/evdefer/x/r-"), 1);
	check_inside(&w[1]);
	token = evrwlock_get_token(b.lock);
	check_waits(&r);
	ck_assert_int_eq(leave_it(&w[1], &b), 0);
	check_inside(&r);
	ck_assert_uint_gt(evrwlock_get_token(a.lock), token);
	ck_assert_int_eq(leave_it(&r, &a), 0);
	end_party(&a);
	end_party(&b);
}
END_TEST

/* One that came after the writer goes behind it, as what those before it had is given back. */
START_TEST(who_reads_on_goes_to_the_end)
{
	struct waiter r[2], w;
	struct party a, b;
	unsigned long removals;

	open_party(&a, "x");
	open_party(&b, "x");
	enter(&r[0], &a, READ);
	want_it(&w, &b, WRITE);
	fake_run(fake);
	want_it(&r[1], &a, READ);
	fake_run(fake);
	check_waits(&r[1]);
	removals = fake->sent[FAKE_REMOVE];
	ck_assert_int_eq(leave_it(&r[0], &a), 0);
	ck_assert_uint_eq(fake->sent[FAKE_REMOVE], removals);
	check_inside(&w);
	check_waits(&r[1]);
	ck_assert_int_eq(leave_it(&w, &b), 0);
	check_inside(&r[1]);
	ck_assert_int_eq(leave_it(&r[1], &a), 0);
	end_party(&a);
	end_party(&b);
}
END_TEST

static struct waiter next_writer;

static struct evresult
leave_and_write(void *value, void *arg)
{
	struct party *party = arg;

	(void)value;
	ck_assert_int_eq(evrwlock_release(party->lock, NULL, READ), 0);
	wait_with(&next_writer, evrwlock_acquire(party->lock, NULL, WRITE),
	    party->lock);
	next_writer.mode = WRITE;
	return evresult_value(NULL);
}

/* Only a right that is kept it has to be told of. */
START_TEST(who_reads_for_a_moment_asks_nothing)
{
	struct evdeferred *d;
	unsigned long gets, looks;
	struct party a;

	open_party(&a, "x");
	d = evrwlock_acquire(a.lock, NULL, READ);
	ck_assert_int_eq(
	    evdeferred_add_callbacks(d, leave_and_write, NULL, &a), 0);
	gets = fake->sent[FAKE_GET] + fake->sent[FAKE_EXISTS];
	looks = fake->sent[FAKE_LIST];
	fake_turn(fake);
	while (fake_count(fake, "/evdefer/x/w-") == 0)
		fake_answer(fake, a.n);
	ck_assert_uint_eq(fake->sent[FAKE_GET] + fake->sent[FAKE_EXISTS], gets);
	/* Each with a place in line. */
	ck_assert_uint_eq(fake->sent[FAKE_LIST], looks + 2);
	fake_run(fake);
	evdeferred_free(d);
	check_inside(&next_writer);
	ck_assert_int_eq(leave_it(&next_writer, &a), 0);
	end_party(&a);
}
END_TEST

/* Who keeps the right to read hears of those who come to write alone. */
START_TEST(who_comes_to_read_wakes_nobody)
{
	struct waiter r[3];
	struct party parties[3];
	unsigned long sent[2];
	int i;

	for (i = 0; i < 2; i++) {
		open_party(&parties[i], "x");
		enter(&r[i], &parties[i], READ);
	}
	for (i = 0; i < 2; i++)
		sent[i] = fake->wires[parties[i].n].sent;
	open_party(&parties[2], "x");
	enter(&r[2], &parties[2], READ);
	ck_assert_int_eq(leave_it(&r[2], &parties[2]), 0);
	for (i = 0; i < 2; i++) {
		ck_assert_uint_eq(fake->wires[parties[i].n].sent, sent[i]);
		ck_assert_int_eq(leave_it(&r[i], &parties[i]), 0);
	}
	for (i = 0; i < 3; i++)
		end_party(&parties[i]);
}
END_TEST

/* It has joined before somebody lined up, and so it reads before that one writes. */
START_TEST(who_lines_up_behind_a_reader_that_joins_waits)
{
	struct waiter r, w;
	struct party a, b;

	open_party(&a, "x");
	open_party(&b, "x");
	write_once(&a);
	want_it(&r, &a, READ);
	want_it(&w, &b, WRITE);
	while (fake_count(fake, "/evdefer/x/r-") == 0)
		fake_do(fake, (struct fake_step){FAKE_EXECUTE, a.n});
	fake_answer(fake, b.n);
	fake_run(fake);
	check_inside(&r);
	check_waits(&w);
	REFUSED(evrwlock_try(a.lock, NULL, READ), EBUSY);
	ck_assert_int_eq(leave_it(&r, &a), 0);
	check_inside(&w);
	ck_assert_int_eq(leave_it(&w, &b), 0);
	end_party(&a);
	end_party(&b);
}
END_TEST

START_TEST(who_is_before_it_goes_before_the_watch)
{
	struct waiter r, w;
	struct party a, b;
	size_t watched;

	open_party(&a, "x");
	open_party(&b, "x");
	enter(&w, &b, WRITE);
	want_it(&r, &a, READ);
	while (fake->wires[a.n].queue[0].op != FAKE_GET)
		fake_answer(fake, a.n);
	ck_assert_int_eq(evrwlock_release(b.lock, NULL, WRITE), 0);
	evdeferred_free(w.d);
	fake_turn(fake);
	fake_answer(fake, b.n);
	fake_do(fake, (struct fake_step){FAKE_CATCH_UP, a.n});
	watched = fake->wires[a.n].watched;
	fake_answer(fake, a.n);
	/* No watch is left of a name that does not come again. */
	ck_assert_uint_eq(fake->wires[a.n].watched, watched);
	fake_run(fake);
	check_inside(&r);
	ck_assert_int_eq(leave_it(&r, &a), 0);
	end_party(&a);
	end_party(&b);
}
END_TEST

START_TEST(who_is_behind_one_that_gives_up_waits_for_the_one_before)
{
	struct waiter r, w[2];
	struct party a, b, c;

	open_party(&a, "x");
	open_party(&b, "x");
	open_party(&c, "x");
	write_once(&a);
	enter(&w[0], &b, WRITE);
	want_it(&w[1], &c, WRITE);
	fake_run(fake);
	want_it(&r, &a, READ);
	fake_run(fake);
	evdeferred_cancel(w[1].d);
	evdeferred_free(w[1].d);
	fake_run(fake);
	check_waits(&r);
	ck_assert_int_eq(leave_it(&w[0], &b), 0);
	check_inside(&r);
	ck_assert_int_eq(leave_it(&r, &a), 0);
	end_party(&a);
	end_party(&b);
	end_party(&c);
}
END_TEST

START_TEST(who_is_before_it_and_is_written_to_is_there)
{
	struct waiter r, w;
	struct party a, b;

	open_party(&a, "x");
	open_party(&b, "x");
	write_once(&a);
	enter(&w, &b, WRITE);
	want_it(&r, &a, READ);
	fake_run(fake);
	check_waits(&r);
	fake_set(fake, fake_find_like(fake, "/evdefer/x/w-")->path, "hm");
	while (fake->wires[a.n].queued == 0)
		fake_do(fake, (struct fake_step){FAKE_CATCH_UP, a.n});
	ck_assert_int_eq(fake->wires[a.n].queue[0].op, FAKE_LIST);
	fake_answer(fake, a.n);
	check_waits(&r);
	fake_run(fake);
	ck_assert_int_eq(leave_it(&w, &b), -1);
	check_inside(&r);
	ck_assert_int_eq(leave_it(&r, &a), 0);
	end_party(&a);
	end_party(&b);
}
END_TEST

/* One that writes after another in the same process needs no more than its turn. */
START_TEST(a_process_passes_the_lock_on_for_a_while)
{
	struct waiter w[EVGROUP_PASSES + 3], other;
	struct party a, b;
	int i, before = 0;

	open_party(&a, "x");
	open_party(&b, "x");
	for (i = 0; i < EVGROUP_PASSES + 3; i++)
		want_it(&w[i], &a, WRITE);
	fake_run(fake);
	want_it(&other, &b, WRITE);
	fake_run(fake);
	for (i = 0; i < EVGROUP_PASSES + 3; i++) {
		if (w[i].granted == 0) {
			check_inside(&other);
			ck_assert_int_eq(leave_it(&other, &b), 0);
			before = i;
		}
		check_inside(&w[i]);
		ck_assert_int_eq(leave_it(&w[i], &a), 0);
	}
	ck_assert_int_ge(before, EVGROUP_PASSES);
	ck_assert_int_le(before, EVGROUP_PASSES + 1);
	end_party(&a);
	end_party(&b);
}
END_TEST

/* A departure wakes one that waits, and nobody else hears of it. */
START_TEST(no_herd)
{
	struct waiter w[6];
	struct party parties[6];
	unsigned long sent[6];
	int i, j;

	for (i = 0; i < 6; i++) {
		open_party(&parties[i], "x");
		want_it(&w[i], &parties[i], WRITE);
		fake_run(fake);
	}
	for (i = 0; i < 5; i++) {
		for (j = 0; j < 6; j++)
			sent[j] = fake->wires[parties[j].n].sent;
		ck_assert_int_eq(leave_it(&w[i], &parties[i]), 0);
		check_inside(&w[i + 1]);
		for (j = i + 2; j < 6; j++)
			ck_assert_uint_eq(
			    fake->wires[parties[j].n].sent, sent[j]);
	}
	ck_assert_int_eq(leave_it(&w[5], &parties[5]), 0);
	for (i = 0; i < 6; i++)
		end_party(&parties[i]);
}
END_TEST

/* Curator 796, 1138. */
START_TEST(going_down_to_read_lets_no_writer_in)
{
	struct waiter w[2];
	struct party a, b;
	uint64_t token;

	open_party(&a, "x");
	open_party(&b, "x");
	enter(&w[0], &a, WRITE);
	token = evrwlock_get_token(a.lock);
	want_it(&w[1], &b, WRITE);
	fake_run(fake);
	ck_assert_int_eq(evrwlock_downgrade(a.lock, NULL, WRITE, READ), 0);
	w[0].mode = READ;
	fake_turn(fake);
	while (fake_find_like(fake, "/evdefer/x/r-") == NULL) {
		check_waits(&w[1]);
		ck_assert_ptr_nonnull(fake_find_like(fake, "/evdefer/x/w-"));
		fake_answer(fake, a.n);
	}
	fake_run(fake);
	check_waits(&w[1]);
	ck_assert_int_eq(leave_it(&w[0], &a), 0);
	check_inside(&w[1]);
	ck_assert_uint_lt(token, evrwlock_get_token(b.lock));
	ck_assert_int_eq(leave_it(&w[1], &b), 0);
	end_party(&a);
	end_party(&b);
}
END_TEST

/* Whenever the other one looks. */
START_TEST(going_down_to_read_is_seen)
{
	struct waiter w[2];
	struct party a, b;
	int answers;

	for (answers = 0; answers < 4; answers++) {
		int i;

		open_party(&a, "x");
		open_party(&b, "x");
		enter(&w[0], &a, READ);
		ck_assert_int_eq(leave_it(&w[0], &a), 0);
		enter(&w[0], &a, WRITE);
		want_it(&w[1], &b, WRITE);
		while (fake->wires[b.n].queue[0].op != FAKE_LINE_UP)
			fake_answer(fake, b.n);
		for (i = 0; i < answers; i++)
			fake_answer(fake, b.n);
		ck_assert_int_eq(
		    evrwlock_downgrade(a.lock, NULL, WRITE, READ), 0);
		w[0].mode = READ;
		fake_turn(fake);
		while (fake->wires[a.n].queued > 0)
			fake_answer(fake, a.n);
		fake_run(fake);
		check_waits(&w[1]);
		ck_assert_int_eq(leave_it(&w[0], &a), 0);
		check_inside(&w[1]);
		ck_assert_int_eq(leave_it(&w[1], &b), 0);
		end_party(&a);
		end_party(&b);
	}
}
END_TEST

START_TEST(two_locks_of_one_name_are_one)
{
	struct waiter w, other, r[2];
	struct party a, b;

	open_party(&a, "x");
	b = a;
	b.lock = evrwlock_new_in_cluster(a.cluster, "x", 0);
	ck_assert_ptr_nonnull(b.lock);
	enter(&w, &a, WRITE);
	want_it(&other, &b, WRITE);
	fake_run(fake);
	check_waits(&other);
	ck_assert_int_eq(leave_it(&w, &a), 0);
	check_inside(&other);
	ck_assert_int_eq(leave_it(&other, &b), 0);
	enter(&r[0], &a, READ);
	enter(&r[1], &b, READ);
	ck_assert_int_eq(leave_it(&r[0], &a), 0);
	ck_assert_int_eq(leave_it(&r[1], &b), 0);
	enter(&w, &b, WRITE);
	ck_assert_int_eq(leave_it(&w, &b), 0);
	evrwlock_free(b.lock);
	end_party(&a);
}
END_TEST

START_TEST(locks_of_other_names_and_roots_are_others)
{
	struct evcluster_options options = {.root = "/some/where"};
	struct waiter w[3];
	struct party a, b, c;

	open_party(&a, "x");
	open_party(&b, "y");
	make_party(&c, "x", &options);
	evdeferred_free(evcluster_connect(c.cluster));
	enter(&w[0], &a, WRITE);
	enter(&w[1], &b, WRITE);
	enter(&w[2], &c, WRITE);
	ck_assert_ptr_nonnull(fake_find(fake, "/some/where/x"));
	ck_assert_int_eq(leave_it(&w[0], &a), 0);
	ck_assert_int_eq(leave_it(&w[1], &b), 0);
	ck_assert_int_eq(leave_it(&w[2], &c), 0);
	end_party(&a);
	end_party(&b);
	end_party(&c);
}
END_TEST

START_TEST(no_upgrades)
{
	struct waiter w;
	struct party a;

	open_party(&a, "x");
	REFUSED_NULL(
	    evrwlock_acquire(a.lock, NULL, EVRWLOCK_UPGRADABLE), ENOTSUP);
	REFUSED(evrwlock_try(a.lock, NULL, EVRWLOCK_UPGRADABLE), ENOTSUP);
	enter(&w, &a, WRITE);
	REFUSED(evrwlock_downgrade(a.lock, NULL, WRITE, EVRWLOCK_UPGRADABLE),
	    ENOTSUP);
	ck_assert_int_eq(leave_it(&w, &a), 0);
	end_party(&a);
}
END_TEST

/* Nothing is left in the line of one that has gone, and the next one enters. */
START_TEST(who_gives_up_leaves_the_line)
{
	struct waiter w[3];
	struct party a, b, c;

	open_party(&a, "x");
	open_party(&b, "x");
	open_party(&c, "x");
	enter(&w[0], &a, WRITE);
	want_it(&w[1], &b, WRITE);
	fake_run(fake);
	want_it(&w[2], &c, WRITE);
	fake_run(fake);
	evdeferred_cancel(w[1].d);
	fake_run(fake);
	ck_assert_int_eq(w[1].failed, ECANCELED);
	evdeferred_free(w[1].d);
	ck_assert_uint_eq(fake_count(fake, "/evdefer/x/w-"), 2);
	ck_assert_int_eq(leave_it(&w[0], &a), 0);
	check_inside(&w[2]);
	ck_assert_int_eq(leave_it(&w[2], &c), 0);
	end_party(&a);
	end_party(&b);
	end_party(&c);
}
END_TEST

/* Netflix curator 307; and while somebody has it open, its numbers do not begin anew. */
START_TEST(the_nodes_of_a_lock_go_with_the_last_that_has_it_open)
{
	struct waiter w;
	struct party a, b;

	open_party(&a, "x");
	open_party(&b, "x");
	enter(&w, &a, WRITE);
	ck_assert_int_eq(leave_it(&w, &a), 0);
	enter(&w, &b, WRITE);
	ck_assert_int_eq(leave_it(&w, &b), 0);
	end_party(&a);
	fake_reap(fake);
	ck_assert_ptr_nonnull(fake_find(fake, "/evdefer/x"));
	enter(&w, &b, READ);
	ck_assert_int_eq(leave_it(&w, &b), 0);
	end_party(&b);
	fake_reap(fake);
	ck_assert_ptr_null(fake_find(fake, "/evdefer/x"));
	ck_assert_ptr_nonnull(fake_find(fake, "/evdefer"));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("cluster");
	TCase *tc = add_cluster_case(suite, "cluster");

	tcase_add_test(tc, what_can_not_be_is_refused);
	tcase_add_test(tc, names_of_locks);
	tcase_add_test(tc, a_name_is_used_as_it_is);
	tcase_add_test(tc, connecting_is_told);
	tcase_add_test(tc, a_wait_for_the_connection_is_cancelled);
	tcase_add_test(tc, who_asks_before_the_connection_waits);
	tcase_add_test(tc, a_writer_is_alone);
	tcase_add_test(tc, readers_share_until_a_writer_asks);
	tcase_add_test(tc, nothing_is_sent_under_a_kept_right_to_read);
	tcase_add_test(tc, a_kept_right_to_read_is_recalled);
	tcase_add_test(tc, who_reads_asks_once);
	tcase_add_test(tc, who_has_read_lines_up_in_the_same_go);
	tcase_add_test(tc, the_node_of_who_has_read_is_gone_as_it_lines_up);
	tcase_add_test(tc, who_reads_waits_for_those_before_it);
	tcase_add_test(tc, who_has_written_goes_to_the_end_to_read);
	tcase_add_test(tc, who_reads_on_goes_to_the_end);
	tcase_add_test(tc, who_reads_for_a_moment_asks_nothing);
	tcase_add_test(tc, who_comes_to_read_wakes_nobody);
	tcase_add_test(tc, who_lines_up_behind_a_reader_that_joins_waits);
	tcase_add_test(tc, who_is_before_it_goes_before_the_watch);
	tcase_add_test(
	    tc, who_is_behind_one_that_gives_up_waits_for_the_one_before);
	tcase_add_test(tc, who_is_before_it_and_is_written_to_is_there);
	tcase_add_test(tc, a_process_passes_the_lock_on_for_a_while);
	tcase_add_test(tc, no_herd);
	tcase_add_test(tc, going_down_to_read_lets_no_writer_in);
	tcase_add_test(tc, going_down_to_read_is_seen);
	tcase_add_test(tc, two_locks_of_one_name_are_one);
	tcase_add_test(tc, locks_of_other_names_and_roots_are_others);
	tcase_add_test(tc, no_upgrades);
	tcase_add_test(tc, who_gives_up_leaves_the_line);
	tcase_add_test(
	    tc, the_nodes_of_a_lock_go_with_the_last_that_has_it_open);
	return support_main(suite);
}
