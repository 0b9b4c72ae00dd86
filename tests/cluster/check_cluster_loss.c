/* SPDX-License-Identifier: MIT */
/* Rights of a cluster that are lost, and connections. */
#include "clusters.h"

#include <stdio.h>
#include <string.h>

/* One that is told of losses. */
struct onlooker {
	struct evdeferred *d;
	struct seen seen;
};

static void
look_on(struct onlooker *onlooker, struct party *party)
{
	memset(onlooker, 0, sizeof(*onlooker));
	onlooker->d = evrwlock_lost(party->lock);
	ck_assert_ptr_nonnull(onlooker->d);
	see(onlooker->d, &onlooker->seen);
}

static void
check_told(struct onlooker *onlooker)
{
	ck_assert_int_eq(onlooker->seen.values, 1);
	evdeferred_free(onlooker->d);
}

static void
check_not_told(struct onlooker *onlooker)
{
	ck_assert_int_eq(onlooker->seen.values + onlooker->seen.failures, 0);
	evdeferred_free(onlooker->d);
}

/* Time passes in which no server answers anybody. */
static void
pass_in_silence(long ms)
{
	while (ms > 0) {
		clock_advance(ms < 500 ? ms : 500);
		fake_turn(fake);
		ms -= 500;
	}
}

START_TEST(probes_keep_a_right)
{
	struct onlooker onlooker;
	struct waiter w;
	struct party a;
	unsigned long probes;

	open_party(&a, "x");
	enter(&w, &a, WRITE);
	look_on(&onlooker, &a);
	probes = fake->sent[FAKE_SYNC];
	pass(20L * TIMEOUT_MS);
	ck_assert_uint_eq(fake->sent[FAKE_SYNC] - probes, 20 * 6);
	ck_assert_int_eq(evrwlock_check(a.lock), 0);
	check_not_told(&onlooker);
	ck_assert_int_eq(leave_it(&w, &a), 0);
	end_party(&a);
}
END_TEST

/* The servers may see a request only when the next one comes. */
START_TEST(an_answer_that_is_late_is_asked_for_by_a_probe)
{
	struct waiter w, other;
	struct party a, b;
	unsigned long probes;

	open_party(&a, "x");
	open_party(&b, "x");
	probes = fake->sent[FAKE_SYNC];
	want_it(&w, &a, WRITE);
	clock_advance(99);
	fake_turn(fake);
	ck_assert_uint_eq(fake->sent[FAKE_SYNC], probes);
	clock_advance(1);
	fake_turn(fake);
	ck_assert_uint_eq(fake->sent[FAKE_SYNC], ++probes);
	/* One is enough. */
	clock_advance(1000);
	fake_turn(fake);
	ck_assert_uint_eq(fake->sent[FAKE_SYNC], probes);
	fake_run(fake);
	check_inside(&w);
	/* Who waits for somebody waits for no answer. */
	want_it(&other, &b, WRITE);
	fake_run(fake);
	probes = fake->sent[FAKE_SYNC];
	clock_advance(1000);
	fake_run(fake);
	ck_assert_uint_eq(fake->sent[FAKE_SYNC], probes);
	ck_assert_int_eq(leave_it(&w, &a), 0);
	check_inside(&other);
	ck_assert_int_eq(leave_it(&other, &b), 0);
	end_party(&a);
	end_party(&b);
}
END_TEST

/* The time counts from when the last probe was sent that was answered. */
START_TEST(a_right_is_lost_after_two_thirds_of_the_timeout)
{
	struct onlooker onlooker;
	struct waiter w, next;
	struct party a;

	open_party(&a, "x");
	enter(&w, &a, WRITE);
	look_on(&onlooker, &a);
	clock_advance(SIXTH_MS);
	fake_turn(fake);
	/* Answered late, which makes it no better. */
	clock_advance(SIXTH_MS);
	fake_answer(fake, a.n);
	fake->away = true;
	fake_cut(fake, a.n, false);
	pass_in_silence(2 * THIRD_MS - SIXTH_MS - 1);
	ck_assert_int_eq(evrwlock_check(a.lock), 0);
	ck_assert_int_eq(onlooker.seen.values, 0);
	clock_advance(1);
	fake_turn(fake);
	check_told(&onlooker);
	REFUSED(evrwlock_check(a.lock), ESTALE);
	want_it(&next, &a, WRITE);
	/* It is lost for good, also if the session has survived. */
	fake->away = false;
	fake_run(fake);
	REFUSED(evrwlock_check(a.lock), ESTALE);
	ck_assert_uint_eq(evrwlock_get_token(a.lock), 0);
	check_waits(&next);
	ck_assert_int_eq(a.told[EVCLUSTER_EXPIRED], 0);
	REFUSED(leave_it(&w, &a), ESTALE);
	check_inside(&next);
	ck_assert_int_eq(evrwlock_check(a.lock), 0);
	ck_assert_int_eq(leave_it(&next, &a), 0);
	end_party(&a);
}
END_TEST

/* After a SIGCONT, say, sockets may be looked at before timers. */
START_TEST(a_look_at_the_clock_comes_before_timers)
{
	struct onlooker onlooker;
	struct waiter w;
	struct party a;

	open_party(&a, "x");
	enter(&w, &a, WRITE);
	look_on(&onlooker, &a);
	clock_advance(2L * THIRD_MS);
	REFUSED(evrwlock_check(a.lock), ESTALE);
	fake_turn(fake);
	check_told(&onlooker);
	REFUSED(leave_it(&w, &a), ESTALE);
	end_party(&a);
}
END_TEST

/* An answer that comes after the deadline does not bring it back. */
START_TEST(a_late_answer_revives_nothing)
{
	struct onlooker onlooker;
	struct waiter w;
	struct party a;

	open_party(&a, "x");
	enter(&w, &a, WRITE);
	look_on(&onlooker, &a);
	clock_advance(SIXTH_MS);
	fake_turn(fake);
	clock_advance(3 * SIXTH_MS);
	fake_do(fake, (struct fake_step){FAKE_ANSWER, a.n});
	check_told(&onlooker);
	REFUSED(evrwlock_check(a.lock), ESTALE);
	fake_run(fake);
	REFUSED(leave_it(&w, &a), ESTALE);
	end_party(&a);
}
END_TEST

static struct evresult
wait_for(void *inner)
{
	return evresult_deferred(inner);
}

static void
count_cancel(struct evdeferred *d, void *arg)
{
	(void)d;
	++*(int *)arg;
}

START_TEST(a_body_is_cancelled_at_a_loss)
{
	struct evdeferred *d;
	struct seen seen = {0};
	struct party a;
	int cancels = 0;

	open_party(&a, "x");
	d = evrwlock_with(a.lock, NULL, WRITE, NULL, wait_for,
	    evdeferred_new(base, count_cancel, &cancels));
	ck_assert_ptr_nonnull(d);
	see(d, &seen);
	fake_run(fake);
	ck_assert_int_eq(seen.failures, 0);
	fake_end(fake, a.n);
	fake_run(fake);
	ck_assert_int_eq(seen.failures, 1);
	ck_assert_int_eq(seen.code, ESTALE);
	ck_assert_int_eq(cancels, 1);
	evdeferred_free(d);
	end_party(&a);
}
END_TEST

/* Who has lost it must not block others, if the session goes on. */
START_TEST(nodes_of_a_lost_right_are_deleted_first)
{
	struct waiter w[3];
	struct party a, b;

	open_party(&a, "x");
	open_party(&b, "x");
	enter(&w[0], &a, WRITE);
	want_it(&w[1], &b, WRITE);
	fake_run(fake);
	fake->away = true;
	fake_cut(fake, a.n, false);
	/* The other one is well meanwhile. */
	pass(2L * THIRD_MS);
	REFUSED(evrwlock_check(a.lock), ESTALE);
	check_waits(&w[1]);
	want_it(&w[2], &a, WRITE);
	fake->away = false;
	fake_run(fake);
	/* The holder is still inside, for its own process. */
	check_inside(&w[1]);
	check_waits(&w[2]);
	REFUSED(leave_it(&w[0], &a), ESTALE);
	check_waits(&w[2]);
	ck_assert_int_eq(leave_it(&w[1], &b), 0);
	check_inside(&w[2]);
	ck_assert_int_eq(leave_it(&w[2], &a), 0);
	end_party(&a);
	end_party(&b);
}
END_TEST

/* What the lost holder has sent and is under way must not pass for the next one's. */
START_TEST(a_right_after_a_loss_has_another_token)
{
	struct waiter w;
	struct party a;
	uint64_t token;

	open_party(&a, "x");
	enter(&w, &a, WRITE);
	token = evrwlock_get_token(a.lock);
	fake->away = true;
	fake_cut(fake, a.n, false);
	pass(2L * THIRD_MS);
	REFUSED(leave_it(&w, &a), ESTALE);
	want_it(&w, &a, WRITE);
	fake->away = false;
	fake_run(fake);
	check_inside(&w);
	ck_assert_uint_lt(token, evrwlock_get_token(a.lock));
	ck_assert_int_eq(leave_it(&w, &a), 0);
	end_party(&a);
}
END_TEST

START_TEST(who_waits_enters_again_with_a_new_session)
{
	struct waiter w[2], r;
	struct onlooker onlooker;
	struct party a, b;
	uint64_t token;

	open_party(&a, "x");
	open_party(&b, "x");
	enter(&w[0], &a, WRITE);
	token = evrwlock_get_token(a.lock);
	look_on(&onlooker, &a);
	want_it(&r, &a, READ);
	want_it(&w[1], &b, WRITE);
	fake_run(fake);
	/* Both are lost: the one that waits does so anew. */
	fake_end(fake, b.n);
	fake_run(fake);
	ck_assert_int_eq(b.told[EVCLUSTER_EXPIRED], 1);
	ck_assert_int_eq(b.state, EVCLUSTER_CONNECTED);
	check_waits(&w[1]);
	fake_end(fake, a.n);
	fake_run(fake);
	check_told(&onlooker);
	check_inside(&w[1]);
	ck_assert_uint_lt(token, evrwlock_get_token(b.lock));
	REFUSED(leave_it(&w[0], &a), ESTALE);
	check_waits(&r);
	ck_assert_int_eq(leave_it(&w[1], &b), 0);
	check_inside(&r);
	ck_assert_int_eq(leave_it(&r, &a), 0);
	end_party(&a);
	end_party(&b);
}
END_TEST

/* Who does not hold anything is told nothing. */
START_TEST(a_kept_right_goes_silently)
{
	struct onlooker onlooker;
	struct waiter r;
	struct party a;

	open_party(&a, "x");
	enter(&r, &a, READ);
	ck_assert_int_eq(leave_it(&r, &a), 0);
	look_on(&onlooker, &a);
	fake_end(fake, a.n);
	REFUSED(evrwlock_try(a.lock, NULL, READ), EBUSY);
	fake_run(fake);
	enter(&r, &a, READ);
	ck_assert_int_eq(evrwlock_check(a.lock), 0);
	check_not_told(&onlooker);
	ck_assert_int_eq(leave_it(&r, &a), 0);
	end_party(&a);
}
END_TEST

/* Curator 45, 335, 498: what was created is found, and its token. */
START_TEST(a_create_without_an_answer_is_found)
{
	static const struct {
		bool executed, late;
	} cases[] = {{true, false}, {false, false}, {false, true}};
	struct waiter w;
	struct party a;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		open_party(&a, "x");
		enter(&w, &a, WRITE);
		ck_assert_int_eq(leave_it(&w, &a), 0);
		want_it(&w, &a, WRITE);
		if (cases[i].late)
			fake_do(fake, (struct fake_step){FAKE_LOSE, a.n});
		else
			fake_cut(fake, a.n, cases[i].executed);
		ck_assert_int_eq(a.state, EVCLUSTER_SUSPENDED);
		fake_run(fake);
		check_inside(&w);
		ck_assert_uint_eq(fake_count(fake, "/evdefer/x/w-"), 1);
		ck_assert_uint_eq(evrwlock_get_token(a.lock),
		    fake_find_like(fake, "/evdefer/x/w-")->czxid);
		ck_assert_int_eq(leave_it(&w, &a), 0);
		ck_assert_uint_eq(fake_count(fake, "/evdefer/x/w-"), 0);
		end_party(&a);
	}
}
END_TEST

/* What is there of it is not known: it is made from its beginning. */
START_TEST(a_root_that_is_made_without_an_answer)
{
	struct waiter w;
	struct party a;
	int i;

	open_party(&a, "x");
	want_it(&w, &a, WRITE);
	for (i = 0; i < _i / 2; i++)
		fake_answer(fake, a.n);
	fake_cut(fake, a.n, _i % 2 == 1);
	fake_run(fake);
	check_inside(&w);
	ck_assert_int_eq(leave_it(&w, &a), 0);
	end_party(&a);
}
END_TEST

/* The same, of one who gives up meanwhile: nothing is left behind. */
START_TEST(a_create_without_an_answer_is_removed_if_nobody_wants_it)
{
	struct waiter w;
	struct party a;
	int mode;

	for (mode = 0; mode < 2; mode++) {
		open_party(&a, "x");
		enter(&w, &a, WRITE);
		ck_assert_int_eq(leave_it(&w, &a), 0);
		want_it(&w, &a, mode == 0 ? WRITE : READ);
		fake_cut(fake, a.n, true);
		evdeferred_cancel(w.d);
		fake_run(fake);
		ck_assert_uint_eq(fake_count(fake, "/evdefer/x/w-"), 0);
		evdeferred_free(w.d);
		end_party(&a);
		ck_assert_uint_eq(fake_count(fake, "/evdefer/x/r-"), 0);
	}
}
END_TEST

START_TEST(a_release_without_an_answer_is_repeated)
{
	struct waiter w[2];
	struct party a, b;
	int executed;

	for (executed = 0; executed < 2; executed++) {
		open_party(&a, "x");
		open_party(&b, "x");
		enter(&w[0], &a, WRITE);
		want_it(&w[1], &b, WRITE);
		fake_run(fake);
		ck_assert_int_eq(evrwlock_release(a.lock, NULL, WRITE), 0);
		evdeferred_free(w[0].d);
		fake_turn(fake);
		fake_cut(fake, a.n, executed == 1);
		fake_run(fake);
		check_inside(&w[1]);
		ck_assert_int_eq(leave_it(&w[1], &b), 0);
		end_party(&a);
		end_party(&b);
	}
}
END_TEST

/* No right is left to whom it was lowered for, and who left meanwhile. */
START_TEST(a_step_down_that_did_not_come_to_be)
{
	struct waiter w, other, r;
	struct party a, b;

	open_party(&a, "x");
	open_party(&b, "x");
	enter(&w, &a, WRITE);
	want_it(&other, &b, WRITE);
	fake_run(fake);
	ck_assert_int_eq(evrwlock_downgrade(a.lock, NULL, WRITE, READ), 0);
	fake_turn(fake);
	ck_assert_int_eq(evrwlock_release(a.lock, NULL, READ), 0);
	evdeferred_free(w.d);
	fake_cut(fake, a.n, false);
	fake_run(fake);
	check_inside(&other);
	REFUSED(evrwlock_try(a.lock, NULL, READ), EBUSY);
	want_it(&r, &a, READ);
	fake_run(fake);
	check_waits(&r);
	ck_assert_int_eq(leave_it(&other, &b), 0);
	check_inside(&r);
	ck_assert_int_eq(leave_it(&r, &a), 0);
	end_party(&a);
	end_party(&b);
}
END_TEST

/* One who gives up writing, and one who comes to read, while no server is there. */
START_TEST(who_reads_beside_one_that_gave_up_writing)
{
	struct waiter r[2], w;
	struct party a;

	open_party(&a, "x");
	enter(&r[0], &a, READ);
	want_it(&w, &a, WRITE);
	fake_run(fake);
	check_waits(&w);
	fake_cut(fake, a.n, false);
	evdeferred_cancel(w.d);
	want_it(&r[1], &a, READ);
	fake_run(fake);
	check_inside(&r[1]);
	ck_assert_int_eq(leave_it(&r[0], &a), 0);
	ck_assert_int_eq(leave_it(&r[1], &a), 0);
	evdeferred_free(w.d);
	end_party(&a);
}
END_TEST

/* A server that hangs is left for another one, before the right is lost. */
START_TEST(a_server_that_hangs_is_left)
{
	struct waiter w;
	struct party a;

	open_party(&a, "x");
	enter(&w, &a, WRITE);
	pass_in_silence(SIXTH_MS + THIRD_MS - 500);
	ck_assert_int_eq(a.told[EVCLUSTER_SUSPENDED], 0);
	pass_in_silence(1000);
	ck_assert_int_eq(a.told[EVCLUSTER_SUSPENDED], 1);
	ck_assert(strstr(a.sentence, "no answer") != NULL);
	fake_run(fake);
	ck_assert_int_eq(evrwlock_check(a.lock), 0);
	ck_assert_int_eq(leave_it(&w, &a), 0);
	end_party(&a);
}
END_TEST

/* A grant that has become stale before it could be delivered is none. */
START_TEST(a_stale_grant_is_withdrawn)
{
	struct waiter w[2];
	struct party a, b;

	open_party(&a, "x");
	open_party(&b, "x");
	enter(&w[0], &a, WRITE);
	want_it(&w[1], &b, WRITE);
	fake_run(fake);
	ck_assert_int_eq(leave_it(&w[0], &a), 0);
	check_inside(&w[1]);
	ck_assert_int_eq(leave_it(&w[1], &b), 0);
	want_it(&w[1], &b, WRITE);
	while (fake->wires[b.n].queued > 1)
		fake_answer(fake, b.n);
	clock_advance(TIMEOUT_MS);
	fake_do(fake, (struct fake_step){FAKE_ANSWER, b.n});
	check_waits(&w[1]);
	fake_run(fake);
	check_inside(&w[1]);
	ck_assert_int_eq(evrwlock_check(b.lock), 0);
	ck_assert_int_eq(leave_it(&w[1], &b), 0);
	end_party(&a);
	end_party(&b);
}
END_TEST

/* An operator: who held it is told, and a delete of what is not there is done. */
START_TEST(a_node_that_an_operator_deletes)
{
	struct onlooker onlooker;
	struct waiter w[2];
	struct party a, b;

	open_party(&a, "x");
	open_party(&b, "x");
	enter(&w[0], &a, WRITE);
	look_on(&onlooker, &a);
	want_it(&w[1], &b, WRITE);
	fake_run(fake);
	fake_delete(fake, fake_find_like(fake, "/evdefer/x/w-")->path);
	fake_run(fake);
	check_told(&onlooker);
	REFUSED(evrwlock_check(a.lock), ESTALE);
	check_inside(&w[1]);
	REFUSED(leave_it(&w[0], &a), ESTALE);
	ck_assert_int_eq(leave_it(&w[1], &b), 0);
	/* All of it: those who wait come again. */
	enter(&w[0], &a, READ);
	want_it(&w[1], &b, WRITE);
	fake_run(fake);
	fake_delete(fake, "/evdefer");
	fake_run(fake);
	pass(TIMEOUT_MS);
	check_inside(&w[1]);
	REFUSED(leave_it(&w[0], &a), ESTALE);
	ck_assert_int_eq(leave_it(&w[1], &b), 0);
	end_party(&a);
	end_party(&b);
}
END_TEST

/* It has the same name as the one before. */
START_TEST(a_second_node_to_read_with_that_an_operator_deletes)
{
	struct onlooker onlooker;
	struct waiter w[2];
	struct party a, b;

	open_party(&a, "x");
	open_party(&b, "x");
	enter(&w[0], &a, READ);
	ck_assert_int_eq(leave_it(&w[0], &a), 0);
	enter(&w[1], &b, WRITE);
	ck_assert_int_eq(leave_it(&w[1], &b), 0);
	enter(&w[0], &a, READ);
	look_on(&onlooker, &a);
	fake_delete(fake, fake_find_like(fake, "/evdefer/x/r-")->path);
	fake_run(fake);
	check_told(&onlooker);
	REFUSED(leave_it(&w[0], &a), ESTALE);
	end_party(&a);
	end_party(&b);
}
END_TEST

/* Its node in line is good for nothing yet. */
START_TEST(the_node_of_a_reader_in_line_that_an_operator_deletes)
{
	struct onlooker onlooker;
	struct waiter r, w[2];
	struct party a, b;

	open_party(&a, "x");
	open_party(&b, "x");
	enter(&r, &a, READ);
	want_it(&w[0], &b, WRITE);
	fake_run(fake);
	want_it(&w[1], &a, WRITE);
	fake_run(fake);
	ck_assert_uint_eq(fake_count(fake, "/evdefer/x/w-"), 2);
	look_on(&onlooker, &a);
	fake_delete(fake, fake_find_like(fake, "/evdefer/x/r-")->path);
	fake_run(fake);
	check_inside(&w[0]);
	check_told(&onlooker);
	REFUSED(leave_it(&r, &a), ESTALE);
	ck_assert_int_eq(leave_it(&w[0], &b), 0);
	check_inside(&w[1]);
	ck_assert_int_eq(leave_it(&w[1], &a), 0);
	end_party(&a);
	end_party(&b);
}
END_TEST

/* The watch of its node was on its way.  _i: to write. */
START_TEST(a_node_that_an_operator_deletes_after_a_loss_of_the_connection)
{
	struct onlooker onlooker;
	struct waiter w;
	struct party a;

	open_party(&a, "x");
	want_it(&w, &a, _i ? WRITE : READ);
	while (!w.granted) {
		fake_answer(fake, a.n);
		fake_turn(fake);
	}
	fake_turn(fake);
	ck_assert_int_eq(fake->wires[a.n].queue[0].op, FAKE_EXISTS);
	look_on(&onlooker, &a);
	fake_cut(fake, a.n, false);
	fake_run(fake);
	fake_delete(fake,
	    fake_find_like(fake, _i ? "/evdefer/x/w-" : "/evdefer/x/r-")->path);
	fake_run(fake);
	check_told(&onlooker);
	REFUSED(leave_it(&w, &a), ESTALE);
	end_party(&a);
}
END_TEST

/* It is there still, and is not waited for.  _i: that by which it writes, or reads, or that
 * with which it waits for a right that is kept. */
START_TEST(a_node_that_an_operator_writes_to)
{
	const bool reads = _i == 1, waits = _i == 2;
	struct waiter w[2];
	struct party a, b;

	open_party(&a, "x");
	open_party(&b, "x");
	if (waits) {
		enter(&w[1], &b, READ);
		ck_assert_int_eq(leave_it(&w[1], &b), 0);
		want_it(&w[0], &a, WRITE);
		fake_turn(fake);
		while (fake->wires[a.n].queued > 0)
			fake_answer(fake, a.n);
		check_waits(&w[0]);
	} else {
		enter(&w[0], &a, reads ? READ : WRITE);
	}
	fake_set(fake,
	    fake_find_like(fake, reads ? "/evdefer/x/r-" : "/evdefer/x/w-")
		->path,
	    "by hand");
	fake_run(fake);
	if (waits) {
		check_inside(&w[0]);
		ck_assert_int_eq(leave_it(&w[0], &a), 0);
	} else {
		/* It can't tell that from a delete. */
		REFUSED(leave_it(&w[0], &a), ESTALE);
	}
	enter(&w[1], &b, WRITE);
	ck_assert_int_eq(leave_it(&w[1], &b), 0);
	enter(&w[0], &a, WRITE);
	ck_assert_int_eq(leave_it(&w[0], &a), 0);
	/* And what comes after that is noticed. */
	enter(&w[0], &a, reads ? READ : WRITE);
	fake_delete(fake,
	    fake_find_like(fake, reads ? "/evdefer/x/r-" : "/evdefer/x/w-")
		->path);
	fake_run(fake);
	REFUSED(leave_it(&w[0], &a), ESTALE);
	end_party(&a);
	end_party(&b);
}
END_TEST

/* Who keeps the right to read has seen nobody in line, and goes on to keep it: so who
 * waits for it has to notice that its own node is gone. */
START_TEST(a_writer_without_its_node_does_not_wait_for_a_kept_right)
{
	struct waiter w[2];
	struct party a, b;

	open_party(&a, "x");
	open_party(&b, "x");
	enter(&w[1], &b, READ);
	ck_assert_int_eq(leave_it(&w[1], &b), 0);
	want_it(&w[0], &a, WRITE);
	fake_turn(fake);
	while (fake->wires[a.n].queued > 0)
		fake_answer(fake, a.n);
	check_waits(&w[0]);
	fake_delete(fake, fake_find_like(fake, "/evdefer/x/w-")->path);
	fake_run(fake);
	check_inside(&w[0]);
	ck_assert_int_eq(leave_it(&w[0], &a), 0);
	end_party(&a);
	end_party(&b);
}
END_TEST

/* What holds its place is there still, and goes with it. */
START_TEST(a_member_that_an_operator_deletes)
{
	struct waiter w[2], r;
	struct party a, b;

	open_party(&a, "x");
	open_party(&b, "x");
	enter(&w[0], &a, WRITE);
	want_it(&r, &a, READ);
	want_it(&w[1], &b, WRITE);
	fake_run(fake);
	fake_delete(fake, fake_find_like(fake, "/evdefer/x/m-")->path);
	fake_run(fake);
	ck_assert_int_eq(leave_it(&w[0], &a), 0);
	check_inside(&w[1]);
	ck_assert_int_eq(leave_it(&w[1], &b), 0);
	check_inside(&r);
	ck_assert_uint_eq(fake_count(fake, "/evdefer/x/m-"), 2);
	ck_assert_int_eq(leave_it(&r, &a), 0);
	end_party(&a);
	end_party(&b);
}
END_TEST

/* Its numbers begin anew: somebody writes by then. */
START_TEST(a_lock_that_was_made_anew)
{
	struct waiter w[2];
	struct party parties[2];
	int i;

	for (i = 0; i < 2; i++) {
		open_party(&parties[i], "x");
		enter(&w[i], &parties[i], READ);
		ck_assert_int_eq(leave_it(&w[i], &parties[i]), 0);
		enter(&w[i], &parties[i], WRITE);
		if (i == 1)
			break;
		ck_assert_int_eq(leave_it(&w[i], &parties[i]), 0);
		fake_delete(fake, "/evdefer/x");
		fake_run(fake);
	}
	want_it(&w[0], &parties[0], READ);
	ck_assert_int_eq(fake->wires[parties[0].n].queue[0].op, FAKE_LINE_UP);
	fake_run(fake);
	check_waits(&w[0]);
	check_inside(&w[1]);
	ck_assert_int_eq(leave_it(&w[1], &parties[1]), 0);
	check_inside(&w[0]);
	ck_assert_int_eq(leave_it(&w[0], &parties[0]), 0);
	end_party(&parties[0]);
	end_party(&parties[1]);
}
END_TEST

/* The one that was waited for goes between the look and the watch. */
START_TEST(no_wake_up_is_lost_between_look_and_watch)
{
	struct waiter w[2];
	struct party a, b;
	int answers;

	for (answers = 0; answers < 6; answers++) {
		int i;

		open_party(&a, "x");
		open_party(&b, "x");
		enter(&w[0], &a, WRITE);
		want_it(&w[1], &b, WRITE);
		for (i = 0; i < answers && fake->wires[b.n].queued > 0; i++)
			fake_answer(fake, b.n);
		ck_assert_int_eq(evrwlock_release(a.lock, NULL, WRITE), 0);
		fake_turn(fake);
		while (fake->wires[a.n].queued > 0)
			fake_answer(fake, a.n);
		fake_run(fake);
		evdeferred_free(w[0].d);
		check_inside(&w[1]);
		ck_assert_int_eq(leave_it(&w[1], &b), 0);
		end_party(&a);
		end_party(&b);
	}
}
END_TEST

/* Messages that can't be sent for want of memory fail those who wait, at worst. */
START_TEST(a_message_that_can_not_be_sent)
{
	struct waiter w;
	struct party a;
	int n;

	for (n = 1; n < 12; n++) {
		open_party(&a, "x");
		fake->fail_send = n;
		want_it(&w, &a, WRITE);
		fake_run(fake);
		pass(TIMEOUT_MS);
		fake->fail_send = 0;
		if (w.granted == 0) {
			check_refused(&w, ENOMEM, "/evdefer/x");
			evdeferred_free(w.d);
			pass(SIXTH_MS);
			enter(&w, &a, WRITE);
		}
		ck_assert_int_eq(leave_it(&w, &a), 0);
		pass(SIXTH_MS);
		ck_assert_uint_eq(fake_count(fake, "/evdefer/x/w-"), 0);
		end_party(&a);
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("cluster, losses");
	TCase *tc = add_cluster_case(suite, "losses");

	tcase_add_test(tc, probes_keep_a_right);
	tcase_add_test(tc, an_answer_that_is_late_is_asked_for_by_a_probe);
	tcase_add_test(tc, a_right_is_lost_after_two_thirds_of_the_timeout);
	tcase_add_test(tc, a_look_at_the_clock_comes_before_timers);
	tcase_add_test(tc, a_late_answer_revives_nothing);
	tcase_add_test(tc, a_body_is_cancelled_at_a_loss);
	tcase_add_test(tc, nodes_of_a_lost_right_are_deleted_first);
	tcase_add_test(tc, a_right_after_a_loss_has_another_token);
	tcase_add_test(tc, who_waits_enters_again_with_a_new_session);
	tcase_add_test(tc, a_kept_right_goes_silently);
	tcase_add_test(tc, a_create_without_an_answer_is_found);
	tcase_add_loop_test(tc, a_root_that_is_made_without_an_answer, 0, 12);
	tcase_add_test(
	    tc, a_create_without_an_answer_is_removed_if_nobody_wants_it);
	tcase_add_test(tc, a_release_without_an_answer_is_repeated);
	tcase_add_test(tc, a_step_down_that_did_not_come_to_be);
	tcase_add_test(tc, who_reads_beside_one_that_gave_up_writing);
	tcase_add_test(tc, a_server_that_hangs_is_left);
	tcase_add_test(tc, a_stale_grant_is_withdrawn);
	tcase_add_test(tc, a_node_that_an_operator_deletes);
	tcase_add_test(tc, a_second_node_to_read_with_that_an_operator_deletes);
	tcase_add_test(
	    tc, the_node_of_a_reader_in_line_that_an_operator_deletes);
	tcase_add_loop_test(tc,
	    a_node_that_an_operator_deletes_after_a_loss_of_the_connection, 0,
	    2);
	tcase_add_loop_test(tc, a_node_that_an_operator_writes_to, 0, 3);
	tcase_add_test(
	    tc, a_writer_without_its_node_does_not_wait_for_a_kept_right);
	tcase_add_test(tc, a_member_that_an_operator_deletes);
	tcase_add_test(tc, a_lock_that_was_made_anew);
	tcase_add_test(tc, no_wake_up_is_lost_between_look_and_watch);
	tcase_add_test(tc, a_message_that_can_not_be_sent);
	return support_main(suite);
}
