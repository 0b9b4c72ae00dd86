/* SPDX-License-Identifier: MIT */
/* Rights that are lost at any time: by chance, and where memory runs short. */
#include "rights.h"

#include "dice.h"
#include "shortage.h"

#define READ EVRWLOCK_READ
#define WRITE EVRWLOCK_WRITE

/*
 * By chance.  Each of some players has an owner or none, and acquires, releases, gives
 * up or runs a body.  After each step the lock is looked at.
 */

#define PLAYERS 8
#define STEPS 20000

enum doing { NOTHING, ASKED, INSIDE };

struct player {
	struct evowner *owner;
	struct evdeferred *d; /* of its acquire, or of its body */
	struct evdeferred *inner;
	enum evrwlock_mode mode;
	enum doing doing;
	bool with;
	uint64_t loss;	/* how many there were when it entered */
	bool ends_well; /* what it does */
};

static struct player players[PLAYERS];
static struct evdeferred *watcher;
static uint64_t losses; /* that the watcher was told of */

static struct evrwlock_stats
stats_of_lock(void)
{
	struct evrwlock_stats stats;

	evrwlock_get_stats(lock, &stats);
	return stats;
}

static void
must_not_be_lost(void)
{
	if (stats_of_lock().lost)
		ck_abort_msg("somebody has entered a lost lock");
}

static struct evresult
player_enters(void *value, void *arg)
{
	struct player *player = arg;

	player->doing = INSIDE;
	player->loss = stats_of_lock().losses;
	must_not_be_lost();
	/* It may find the loss when it has just entered, and others may not. */
	if (dice(8) == 0) {
		rights->stale = rights->tells = true;
		evrwlock_check(lock);
		rights->stale = false;
	}
	return evresult_value(value);
}

static struct evresult
player_fails(struct evfailure *failure, void *arg)
{
	const int code = evfailure_get_code(failure);
	struct player *player = arg;

	if (player->ends_well || (code != ECANCELED && code != ESTALE))
		ck_abort_msg("failed with %d", code);
	player->doing = NOTHING;
	return evresult_value(NULL);
}

static struct evresult
player_is_done(void *value, void *arg)
{
	struct player *player = arg;

	if (!player->ends_well)
		ck_abort_msg("a lost body ends well");
	player->doing = NOTHING;
	return evresult_value(value);
}

static void
end_inner(struct evdeferred *d, void *arg)
{
	struct player *player = arg;

	(void)d;
	player->inner = NULL;
}

static struct evresult
player_runs(void *arg)
{
	struct player *player = arg;

	player->inner = evdeferred_new(base, end_inner, player);
	/* If that finds the loss, it is cancelled when it has been returned. */
	player_enters(NULL, player);
	return evresult_deferred(player->inner);
}

static void
start_player(struct player *player)
{
	player->mode = mode_of((int)dice(2));
	player->with = dice(2) == 0;
	player->doing = ASKED;
	player->ends_well = false;
	if (player->with) {
		player->d = evrwlock_with(lock, player->owner, player->mode,
		    NULL, player_runs, player);
		evdeferred_add_callbacks(
		    player->d, player_is_done, player_fails, player);
	} else {
		player->d = evrwlock_acquire(lock, player->owner, player->mode);
		evdeferred_add_callbacks(
		    player->d, player_enters, player_fails, player);
	}
}

static void
free_player(struct player *player)
{
	evdeferred_free(player->d);
	player->d = NULL;
}

static void
leave_lock(struct player *player)
{
	struct evdeferred *inner = player->inner;
	const bool lost = stats_of_lock().lost;

	if (player->with) {
		player->inner = NULL;
		player->ends_well = player->loss == stats_of_lock().losses;
		if (inner != NULL)
			evdeferred_callback(inner, NULL);
		return;
	}
	player->doing = NOTHING;
	if (lost != (evrwlock_release(lock, player->owner, player->mode) == -1))
		ck_abort_msg("a release does not say what it should");
	free_player(player);
}

static void
move_player(struct player *player)
{
	if (player->doing == NOTHING) {
		free_player(player);
		start_player(player);
	} else if (player->doing == INSIDE) {
		leave_lock(player);
	} else if (dice(4) == 0) {
		evdeferred_cancel(player->d);
	}
}

static void watch_on(void);

static struct evresult
count_loss(void *value, void *arg)
{
	(void)arg;
	losses++;
	watcher = NULL;
	watch_on();
	return evresult_value(value);
}

static void
watch_on(void)
{
	watcher = evrwlock_lost(lock);
	evdeferred_add_callback(watcher, count_loss, NULL);
	evdeferred_detach(watcher);
}

static void
check_step(struct evrwlock_stats before)
{
	const struct evrwlock_stats now = stats_of_lock();
	const size_t inside = now.readers_inside + now.writers_inside;

	if (now.writers_inside > 1 ||
	    (now.writers_inside > 0 && now.readers_inside > 0))
		ck_abort_msg("writers are not alone");
	if (now.lost && inside == 0)
		ck_abort_msg("lost, and nobody is inside");
	if (before.lost && now.lost && before.losses == now.losses &&
	    inside > before.readers_inside + before.writers_inside)
		ck_abort_msg("more are lost than were inside");
	if (now.losses != losses)
		ck_abort_msg("not all losses were told");
}

static void
step(void)
{
	const struct evrwlock_stats before = stats_of_lock();
	const unsigned what = dice(16);

	if (what == 0)
		lose();
	else if (what == 1)
		allow(dice(4) == 0 ? EVRIGHT_READ : EVRIGHT_WRITE);
	else if (what < 6)
		turns(1);
	else
		move_player(&players[dice(PLAYERS)]);
	check_step(before);
}

START_TEST(losses_by_chance)
{
	int k;

	dice_seed(1 + (uint64_t)_i);
	make_lock_with_rights(_i);
	losses = 0;
	watch_on();
	/* Each owner is inside once at most, as others are. */
	for (k = 0; k < PLAYERS; k++) {
		players[k] = (struct player){0};
		if (k % 2 == 1)
			players[k].owner = new_owner(NULL);
	}
	for (k = 0; k < STEPS; k++)
		step();
	ck_assert_uint_gt(losses, 100);
	allow(EVRIGHT_WRITE);
	for (k = 0; k < PLAYERS; k++) {
		if (players[k].doing == INSIDE && !players[k].with)
			leave_lock(&players[k]);
		free_player(&players[k]);
		evowner_free(players[k].owner);
	}
	counts(0, 0, 0, 0);
	evrwlock_free(lock);
	ck_assert_ptr_nonnull(watcher);
	ck_assert_int_eq(rights_left, 1);
	report_take(ESHUTDOWN);
}
END_TEST

/*
 * Memory.
 */

START_TEST(without_memory_nobody_watches)
{
	make_lock_with_rights(_i);
	NULL_WITHOUT_MEMORY(evrwlock_lost(lock));
	done(NULL, 0);
}
END_TEST

START_TEST(without_memory_no_body_is_run)
{
	struct body w = {0};

	make_lock_with_rights(_i);
	NULL_WITHOUT_MEMORY(with_by_name(lock, WRITE, run_body, &w));
	ck_assert_int_eq(w.runs, 0);
	done(NULL, 0);
}
END_TEST

/* A loss needs none, nor do bodies once there were some. */
static void
ignore_cancel(struct evdeferred *d, void *arg)
{
	(void)d;
	(void)arg;
}

static struct evresult
wait_for_cancel(void *arg)
{
	return evresult_deferred(evdeferred_new(base, ignore_cancel, arg));
}

static int
round_with_loss(void)
{
	struct evdeferred *d[4];
	struct seen seen[3] = {{0}};
	int released, k;

	d[0] = evrwlock_lost(lock);
	d[1] = evrwlock_reader_acquire(lock);
	d[2] = evrwlock_with_reader(lock, wait_for_cancel, NULL);
	for (k = 0; k < 3; k++)
		evdeferred_add_callbacks(
		    d[k], see_value, see_failure, &seen[k]);
	turns(2);
	d[3] = evrwlock_writer_acquire(lock);
	lose();
	released = evrwlock_reader_release(lock);
	turns(2);
	for (k = 0; k < 4; k++)
		evdeferred_free(d[k]);
	return seen[0].values + seen[1].values +
	       (seen[2].code == ESTALE && released == -1);
}

START_TEST(a_loss_needs_no_memory)
{
	make_lock_with_rights(_i);
	check_steady_state(round_with_loss, 3);
	done(NULL, 0);
}
END_TEST

struct attempt {
	bool fast;
	int ended; /* of those that could be asked for */
	int asked;
	bool wedged;
};

static struct evresult
note_value(void *value, void *arg)
{
	struct attempt *a = arg;

	/* In place of a check, which allocates. */
	a->ended++;
	if (value == lock)
		evrwlock_reader_release(lock);
	return evresult_value(NULL);
}

static struct evresult
note_failure(struct evfailure *failure, void *arg)
{
	(void)failure;
	((struct attempt *)arg)->ended++;
	return evresult_value(NULL);
}

static struct evdeferred *
note_end(struct evdeferred *d, struct attempt *a)
{
	if (d == NULL)
		return NULL;
	if (evdeferred_add_callbacks(d, note_value, note_failure, a) == 0) {
		a->asked++;
		return d;
	}
	evdeferred_free(d);
	return NULL;
}

static struct evresult
run_inner(void *arg)
{
	struct evdeferred *d = evdeferred_new(arg, NULL, NULL);

	if (d == NULL)
		return evresult_fail(ENOMEM, "no memory");
	evdeferred_callback(d, NULL);
	return evresult_deferred(d);
}

static void
attempt(void *arg)
{
	struct attempt *a = arg;
	struct evdefer_base *of = evdefer_base_new(loop);
	struct evdeferred *d[4];
	int k;

	if (of == NULL)
		return;
	if (!make_lock_of(of, a->fast)) {
		evdefer_base_free(of);
		return;
	}
	d[0] = note_end(evrwlock_lost(lock), a);
	d[1] = note_end(evrwlock_with_reader(lock, run_inner, of), a);
	d[2] = note_end(evrwlock_with_writer(lock, run_inner, of), a);
	d[3] = note_end(evrwlock_reader_acquire(lock), a);
	lose();
	turns(3);
	lose();
	turns(3);
	a->wedged = evrwlock_writer_try(lock) != 0;
	if (!a->wedged) {
		lose();
		evrwlock_writer_release(lock);
	}
	evrwlock_free(lock);
	for (k = 0; k < 4; k++)
		evdeferred_free(d[k]);
	evdefer_base_free(of);
}

START_TEST(every_allocation_may_fail)
{
	size_t n;
	bool hit = true;

	event_set_log_callback(ignore_log);
	for (n = 1; hit && n < 10000; n++) {
		struct attempt a = {.fast = _i % 2 == 1};

		hit = fails_at(n, _i / 2 == 1, attempt, &a);
		ck_assert_msg(!a.wedged, "wedged at n = %zu", n);
		ck_assert_msg(a.ended == a.asked, "n = %zu", n);
		if (!hit)
			ck_assert_int_eq(a.ended, 4);
	}
	ck_assert_uint_lt(n, 10000);
	event_set_log_callback(NULL);
}
END_TEST

static Suite *
lost_random_suite(void)
{
	Suite *suite = suite_create("lost random");
	TCase *random = add_case(suite, "random");
	TCase *memory = add_case(suite, "memory");

	tcase_add_loop_test(random, losses_by_chance, 0, 8);
	tcase_add_loop_test(memory, without_memory_nobody_watches, 0, 2);
	tcase_add_loop_test(memory, without_memory_no_body_is_run, 0, 2);
	tcase_add_loop_test(memory, a_loss_needs_no_memory, 0, 2);
	tcase_add_loop_test(memory, every_allocation_may_fail, 0, 4);
	return suite;
}

int
main(void)
{
	return support_main(lost_random_suite());
}
