/* SPDX-License-Identifier: MIT */
/* The lock against a model that is too simple to be wrong: arrays, searched from
 * the start. */
#include "rwlocks.h"

#include <errno.h>

enum { PARTIES = 24, MODEL_STEPS = 200000 };
enum { IDLE, WAITS, GRANTED, HOLDS };

struct model_party {
	struct evdeferred *d;
	int state;
	bool writer;
	unsigned long arrival; /* orders waiters, then grants */
	int told_granted;
	int told_failed;
};

static struct model_party model[PARTIES];
static unsigned long arrivals, model_grants;
static size_t tries_inside; /* holds by try: all of the kind that is inside */
static bool tries_write;
static struct evrwlock_stats expected;
static bool model_fast;
static int order_errors;
static unsigned long last_delivered;

static struct evresult
model_granted(void *value, void *arg)
{
	struct model_party *p = arg;

	p->told_granted += value == lock;
	/* In the order of the grants. */
	if (!model_fast) {
		order_errors += p->state != GRANTED;
		order_errors += p->arrival <= last_delivered;
		last_delivered = p->arrival;
		p->state = HOLDS;
	}
	return evresult_value(NULL);
}

static struct evresult
model_failed(struct evfailure *failure, void *arg)
{
	struct model_party *p = arg;

	p->told_failed += evfailure_get_code(failure) == ECANCELED;
	return evresult_value(NULL);
}

static void
model_grant(struct model_party *p)
{
	p->state = model_fast ? HOLDS : GRANTED;
	p->arrival = ++model_grants;
	if (p->writer) {
		expected.writers_inside++;
		expected.writers_granted++;
	} else {
		expected.readers_inside++;
		expected.readers_granted++;
	}
}

static struct model_party *
first_waiting(bool writes)
{
	struct model_party *first = NULL;
	int i;

	for (i = 0; i < PARTIES; i++) {
		if (model[i].state == WAITS && model[i].writer == writes &&
		    (first == NULL || model[i].arrival < first->arrival))
			first = &model[i];
	}
	return first;
}

/* Lets in whoever may enter now. */
static void
model_admit(void)
{
	struct model_party *p = first_waiting(true);

	if (expected.writers_inside > 0)
		return;
	if (p != NULL) {
		if (expected.readers_inside == 0) {
			expected.writers_waiting--;
			model_grant(p);
		}
		return;
	}
	while ((p = first_waiting(false)) != NULL) {
		expected.readers_waiting--;
		model_grant(p);
	}
}

static void
model_request(struct model_party *p, bool writes)
{
	const size_t others_inside =
	    expected.writers_inside +
	    (writes ? expected.readers_inside : expected.writers_waiting);

	p->writer = writes;
	p->told_granted = p->told_failed = 0;
	if (others_inside == 0) {
		model_grant(p);
	} else {
		p->state = WAITS;
		p->arrival = ++arrivals;
		if (writes)
			expected.writers_waiting++;
		else
			expected.readers_waiting++;
		if (expected.readers_waiting + expected.writers_waiting >
		    expected.longest_queue)
			expected.longest_queue =
			    expected.readers_waiting + expected.writers_waiting;
	}
	p->d = acquire_by_name(lock, mode_of(writes));
	evdeferred_add_callbacks(p->d, model_granted, model_failed, p);
}

static void
model_leave(bool writes)
{
	if (writes)
		expected.writers_inside--;
	else
		expected.readers_inside--;
	model_admit();
}

/* Whether the library said what the model says. */
static int
model_release(struct model_party *p)
{
	int r;

	p->state = IDLE;
	model_leave(p->writer);
	r = release_by_name(lock, mode_of(p->writer));
	evdeferred_free(p->d);
	p->d = NULL;
	return r != 0;
}

static int
model_give_up(struct model_party *p, bool cancels)
{
	const int state = p->state;
	struct evdeferred *d = p->d;
	int errors = 0;

	p->state = IDLE;
	p->d = NULL;
	expected.cancelled++;
	if (state == WAITS) {
		if (p->writer)
			expected.writers_waiting--;
		else
			expected.readers_waiting--;
		model_admit();
	} else {
		model_leave(p->writer);
	}
	if (cancels) {
		evdeferred_cancel(d);
		errors += p->told_failed != 1;
	}
	evdeferred_free(d);
	errors += p->told_granted != 0 || p->told_failed != cancels;
	return errors;
}

static int
model_try(bool writes)
{
	const bool free_for_me = expected.writers_inside == 0 &&
				 (writes ? expected.readers_inside == 0
					 : expected.writers_waiting == 0);
	int r;

	/* There are few of them, so that the others get their turn. */
	if (tries_inside >= 2)
		return 0;
	errno = 0;
	r = try_by_name(lock, mode_of(writes));
	if (!free_for_me)
		return r != -1 || errno != EBUSY;
	tries_inside++;
	tries_write = writes;
	if (writes) {
		expected.writers_inside++;
		expected.writers_granted++;
	} else {
		expected.readers_inside++;
		expected.readers_granted++;
	}
	return r != 0;
}

static int
model_untry(void)
{
	if (tries_inside == 0)
		return 0;
	tries_inside--;
	model_leave(tries_write);
	return release_by_name(lock, mode_of(tries_write)) != 0;
}

/* A release by one who holds nothing, if nobody does. */
static int
model_bad_release(bool writes)
{
	int i;

	if (tries_inside > 0)
		return 0;
	for (i = 0; i < PARTIES; i++) {
		if (model[i].state == HOLDS)
			return 0;
	}
	errno = 0;
	return release_by_name(lock, mode_of(writes)) != -1 || errno != EPERM;
}

static int
model_check(void)
{
	struct evrwlock_stats stats;
	int i, errors = 0;

	evrwlock_get_stats(lock, &stats);
	errors += stats.readers_inside != expected.readers_inside;
	errors += stats.writers_inside != expected.writers_inside;
	errors += stats.readers_waiting != expected.readers_waiting;
	errors += stats.writers_waiting != expected.writers_waiting;
	errors += stats.readers_granted != expected.readers_granted;
	errors += stats.writers_granted != expected.writers_granted;
	errors += stats.cancelled != expected.cancelled;
	errors += stats.longest_queue != expected.longest_queue;
	errors += stats.writers_inside > 1;
	errors += stats.writers_inside > 0 && stats.readers_inside > 0;
	errors += evrwlock_is_reading(lock) != (stats.readers_inside > 0);
	errors += evrwlock_is_writing(lock) != (stats.writers_inside > 0);
	for (i = 0; i < PARTIES; i++) {
		const struct model_party *p = &model[i];

		if (p->state == HOLDS)
			errors += p->told_granted != 1 || p->told_failed != 0;
		else if (p->state != IDLE)
			errors += p->told_granted + p->told_failed != 0;
	}
	return errors + order_errors;
}

static unsigned
next_random(void)
{
	static unsigned long long state = 20240229;

	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)(state >> 40);
}

static int
model_step(void)
{
	struct model_party *p = &model[next_random() % PARTIES];
	const unsigned what = next_random() % 100;
	int i, errors = 0;

	if (what < 60) {
		if (p->state == IDLE)
			model_request(p, next_random() % 3 == 0);
		else if (p->state == HOLDS)
			errors = model_release(p);
		else if (what < 12)
			errors = model_give_up(p, what < 6);
	} else if (what < 68) {
		errors = model_try(what < 64);
	} else if (what < 80) {
		errors = model_untry();
	} else if (what < 84) {
		errors = model_bad_release(what < 82);
	} else {
		turns(1);
		for (i = 0; i < PARTIES; i++)
			errors += model[i].state == GRANTED;
	}
	return errors;
}

START_TEST(lock_does_what_the_model_does)
{
	size_t scale = support_scale();
	size_t i, steps = scale < MODEL_STEPS ? scale : MODEL_STEPS;
	int errors = 0;

	model_fast = _i == 1;
	make_lock(_i);
	for (i = 0; i < steps && errors == 0; i++)
		errors = model_step() + model_check();
	ck_assert_msg(errors == 0, "%d differences after step %zu", errors, i);
	while (tries_inside > 0)
		model_untry();
	/* Each end lets others in, until nobody is left. */
	for (i = 0; i < 10 * PARTIES; i++) {
		struct model_party *p = &model[i % PARTIES];

		turns(1);
		if (p->state == HOLDS)
			errors += model_release(p);
	}
	ck_assert_int_eq(errors + model_check(), 0);
	ck_assert_uint_gt(expected.cancelled, 0);
	done(NULL, 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("rwlock_model");
	TCase *tc = add_case(suite, "model");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, lock_does_what_the_model_does, 0, 2);
	return support_main(suite);
}
