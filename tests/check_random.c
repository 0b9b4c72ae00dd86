/* SPDX-License-Identifier: MIT */
/*
 * Random calls of everything that consumers and producers of Deferreds may
 * call, from everywhere that they may call it from: links, cancellers, free
 * functions of values, the handler of unhandled failures, bodies under a lock.
 *
 * What has to hold whatever they do: each value that the library took, in a
 * failure too, is received or disposed of once, each link is called once at most
 * and none of a Deferred that was freed, the argument of a link that owns it is
 * freed once and not before that, a result that is owed is taken, and in the end no
 * memory is left.  AddressSanitizer sees the rest.
 *
 * EVDEFER_TEST_SCALE / 2000 is the number of worlds for each seed.
 */
#include "dice.h"
#include "worlds.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/time.h>

#define SEEDS 20
#define MAX_SUBJECTS 32
#define MAX_LINKS 512
#define MAX_VALUES 1024
#define MAX_DEPTH 20 /* of the library's 16 nested deliveries, and more */

enum consumer {
	OWNED,
	DETACHED, /* and still paused, if pauses is not 0 */
	GONE	  /* freed, handed over, or detached */
};

struct subject {
	struct evdeferred *d;
	enum consumer consumer;
	bool freed;
	bool owes;	 /* its producer may and has to fire it */
	bool called_off; /* its canceller was called */
	bool of_lock;	 /* which alone may fire it */
	int pauses;
};

struct link {
	struct subject *subject;
	int calls;
	bool owned; /* by the chain, until it is freed */
};

/* How often the library has it, and whether it ever had. */
struct value {
	int held;
	int given;
};

static struct subject subjects[MAX_SUBJECTS];
static size_t subject_count;
static struct link links[MAX_LINKS];
static size_t link_count;
static struct value values[MAX_VALUES];
static size_t value_count;
static struct evrwlock *lock;
/* In some worlds all that is acquired is acquired for it. */
static struct evowner *owner;
static bool has_owner;
static int reads, writes; /* held, without an owner */
static bool base_is_open, lock_is_open, in_handler;
/* A detached Deferred that waits for its own chain stays for ever, as nobody is
 * left to free it.  So only worlds without a loop have all of: waits, chains,
 * detach. */
static enum { NO_LOOPS, LOOPS_OF_WAITS, LOOPS_OF_CHAINS } kind;
static int budget; /* of steps */

static void steps(unsigned most);

/* Now and then something happens wherever the library calls us. */
static void
interfere(void)
{
	if (dice(3) == 0)
		steps(3);
}

/*
 * Values.
 */

static void
take(struct value *value)
{
	require(value->held == 1);
	value->held = 0;
}

static void
dispose(void *value)
{
	take(value);
	interfere();
}

static struct evresult
hand_on(struct value *value)
{
	require(value->held == 0);
	value->held = 1;
	value->given++;
	return evresult_owned(value, dispose);
}

static void
release_read(void)
{
	reads--;
	require(evrwlock_reader_release(lock) == 0);
}

static void
release_write(void)
{
	writes--;
	require(evrwlock_writer_release(lock) == 0);
}

static void
receive_grant(void)
{
	if (has_owner)
		return;
	if (evrwlock_is_writing(lock))
		writes++;
	else
		reads++;
}

static struct evresult any_result(const struct subject *of);

/*
 * Deferreds.
 */

static struct subject *
any_subject(void)
{
	return subject_count == 0 ? NULL
				  : &subjects[dice((unsigned)subject_count)];
}

static struct subject *
owned_subject(void)
{
	struct subject *s;
	int tries;

	for (tries = 0; tries < 4; tries++) {
		s = any_subject();
		if (s != NULL && s->consumer == OWNED)
			return s;
	}
	return NULL;
}

static void
fire(struct subject *s)
{
	const bool owed = s->owes;
	struct evresult result = any_result(s);

	/* Making the result may have changed everything. */
	if (s->owes != owed || (!owed && s->consumer != OWNED)) {
		evresult_dispose(result);
		return;
	}
	s->owes = false;
	if (evdeferred_fire(s->d, result) == 0)
		return;
	require(errno == EALREADY && !owed);
	evresult_dispose(result);
}

static void
canceller(struct evdeferred *d, void *arg)
{
	struct subject *s = arg;
	struct evresult result;

	require(s->d == d && !s->called_off);
	s->called_off = true;
	interfere();
	s->owes = false;
	if (dice(2) == 0)
		return;
	result = any_result(s);
	if (evdeferred_fire(d, result) == -1)
		evresult_dispose(result);
}

static struct evresult
answer(const struct link *link, struct evresult result)
{
	struct value *value = evresult_get_value(result);
	const bool is_grant = value != NULL && (void *)value == (void *)lock;

	require(!link->subject->freed);
	if (dice(2) == 0 && (!is_grant || result.dispose != NULL)) {
		/* It passes through. */
		interfere();
		return result;
	}
	if (is_grant)
		receive_grant();
	else if (value != NULL)
		take(value);
	interfere();
	return any_result(link->subject);
}

static void
begin(struct link *link)
{
	require(++link->calls == 1);
	require(!link->subject->freed);
}

static void
free_link(void *arg)
{
	struct link *link = arg;

	require(link->owned);
	link->owned = false;
	/* It is not called any more. */
	link->calls = 1;
	interfere();
}

static struct evresult
link_both(struct evresult result, void *arg)
{
	begin(arg);
	return answer(arg, result);
}

static struct evresult
link_callback(void *value, void *arg)
{
	struct evresult result = evresult_value(value);

	begin(arg);
	if (value != NULL && value != (void *)lock)
		result.dispose = dispose;
	return answer(arg, result);
}

static struct evresult
link_errback(struct evfailure *failure, void *arg)
{
	begin(arg);
	return answer(arg, evresult_from_failure(failure));
}

/* Nobody's until it has its Deferred: what makes that may come back to us. */
static struct subject *
add_subject(void)
{
	struct subject *s = &subjects[subject_count++];

	memset(s, 0, sizeof(*s));
	s->consumer = GONE;
	return s;
}

static void
own(struct subject *s, struct evdeferred *d)
{
	require(d != NULL);
	s->d = d;
	s->consumer = OWNED;
}

static bool
is_full(void)
{
	return !base_is_open || subject_count == MAX_SUBJECTS;
}

static void
step_new(void)
{
	struct subject *s;
	bool with;

	if (is_full())
		return;
	with = dice(2) == 0;
	s = add_subject();
	own(s, evdeferred_new(base, with ? canceller : NULL, s));
	s->owes = true;
}

static void
step_fired(void)
{
	struct evresult result = any_result(NULL);

	if (is_full())
		evresult_dispose(result);
	else
		own(add_subject(), evdeferred_new_fired(base, result));
}

static void
step_fire(void)
{
	struct subject *s = any_subject();

	if (s != NULL && !s->of_lock && (s->owes || s->consumer == OWNED))
		fire(s);
}

static void
step_add(void)
{
	struct subject *s = owned_subject();
	struct link *link;

	if (s == NULL || link_count == MAX_LINKS)
		return;
	link = &links[link_count++];
	link->subject = s;
	link->calls = 0;
	link->owned = false;
	switch (dice(6)) {
	case 0:
		evdeferred_add_callback(s->d, link_callback, link);
		break;
	case 1:
		evdeferred_add_errback(s->d, link_errback, link);
		break;
	case 2:
		evdeferred_add_callbacks(
		    s->d, link_callback, link_errback, link);
		break;
	case 3:
		link->owned = true;
		evdeferred_add_callbacks_owned(
		    s->d, link_callback, link_errback, link, free_link);
		break;
	case 4:
		link->owned = true;
		evdeferred_add_both_owned(s->d, link_both, link, free_link);
		break;
	default:
		evdeferred_add_both(s->d, link_both, link);
		break;
	}
}

static void
step_chain(void)
{
	struct subject *s = owned_subject(), *other = owned_subject();
	bool owed;

	if (s == NULL || other == NULL || other->of_lock ||
	    kind == LOOPS_OF_WAITS || (kind == NO_LOOPS && s < other))
		return;
	/* Its producer is s from now on. */
	owed = other->owes;
	other->owes = false;
	if (evdeferred_chain(s->d, other->d) == 0)
		return;
	require(errno == EINVAL || errno == EBUSY || errno == EALREADY);
	other->owes = owed;
}

static void
step_pause(void)
{
	struct subject *s = owned_subject();

	if (s == NULL)
		return;
	s->pauses++;
	require(evdeferred_pause(s->d) == 0);
}

static void
unpause(struct subject *s)
{
	s->pauses--;
	if (s->consumer == DETACHED && s->pauses == 0)
		s->consumer = GONE;
	require(evdeferred_unpause(s->d) == 0);
}

static void
step_unpause(void)
{
	struct subject *s = any_subject();

	if (s == NULL || s->consumer == GONE)
		return;
	if (s->pauses > 0) {
		unpause(s);
		return;
	}
	require(evdeferred_unpause(s->d) == -1 && errno == EPERM);
}

static void
step_cancel(void)
{
	struct subject *s = owned_subject();

	if (s != NULL)
		evdeferred_cancel(s->d);
}

static void
step_free(void)
{
	struct subject *s = owned_subject();

	if (s == NULL)
		return;
	s->consumer = GONE;
	s->freed = true;
	evdeferred_free(s->d);
}

static void
step_detach(void)
{
	struct subject *s = owned_subject();

	if (s == NULL || kind == LOOPS_OF_CHAINS)
		return;
	s->consumer = s->pauses > 0 ? DETACHED : GONE;
	evdeferred_detach(s->d);
}

static void
step_timeout(void)
{
	const struct timeval after = {(time_t)dice(4), 0};
	struct subject *s = owned_subject();

	if (s == NULL)
		return;
	if (base_is_open)
		require(evdeferred_add_timeout(s->d, &after) == 0);
	else
		require(evdeferred_add_timeout(s->d, &after) == -1 &&
			errno == ESHUTDOWN);
}

/* For a chain to wait for. */
static struct subject *
giveable(const struct subject *to)
{
	struct subject *s = owned_subject();

	if (s == NULL || s == to || to == NULL)
		return NULL;
	if (kind != LOOPS_OF_WAITS && s < to)
		return NULL;
	/* Nobody could do that later. */
	while (s->consumer == OWNED && s->pauses > 0)
		unpause(s);
	return s->consumer == OWNED ? s : NULL;
}

static struct evresult
any_result(const struct subject *to)
{
	struct subject *other;
	struct evresult held;

	switch (dice(4)) {
	case 0:
		if (value_count == MAX_VALUES)
			break;
		return hand_on(&values[value_count++]);
	case 1:
		if (value_count == MAX_VALUES || dice(2) == 0)
			return evresult_fail(EIO, NULL);
		held = hand_on(&values[value_count++]);
		return evresult_fail_with(held.data, held.dispose, EIO, NULL);
	case 2:
		other = giveable(to);
		if (other == NULL)
			break;
		other->consumer = GONE;
		return evresult_deferred(other->d);
	default:
		break;
	}
	return evresult_value(NULL);
}

/*
 * The lock.
 */

static struct evresult
body(void *arg)
{
	(void)arg;
	interfere();
	return any_result(NULL);
}

static struct evdeferred *
acquire(void)
{
	switch (dice(4)) {
	case 0:
		return evrwlock_reader_acquire(lock);
	case 1:
		return evrwlock_writer_acquire(lock);
	case 2:
		return evrwlock_with_reader(lock, body, NULL);
	default:
		return evrwlock_with_writer(lock, body, NULL);
	}
}

static struct evdeferred *
acquire_for_owner(void)
{
	const enum evrwlock_mode mode =
	    dice(2) == 0 ? EVRWLOCK_READ : EVRWLOCK_WRITE;

	if (dice(2) == 0)
		return evrwlock_acquire(lock, owner, mode);
	return evrwlock_with(lock, owner, mode, NULL, body, NULL);
}

static void
step_lock(void)
{
	struct subject *s;

	if (is_full() || !lock_is_open || (has_owner && owner == NULL))
		return;
	s = add_subject();
	s->of_lock = true;
	own(s, has_owner ? acquire_for_owner() : acquire());
}

static void
step_release(void)
{
	if (owner != NULL && lock_is_open) {
		if (evrwlock_release(lock, owner, EVRWLOCK_READ) == 0 ||
		    owner == NULL || !lock_is_open)
			return;
		require(errno == EPERM);
		evrwlock_release(lock, owner, EVRWLOCK_WRITE);
	} else if (reads > 0) {
		release_read();
	} else if (writes > 0) {
		release_write();
	}
}

static void
free_owner(void)
{
	struct evowner *gone = owner;

	owner = NULL;
	evowner_free(gone);
}

static void
step_end_of_owner(void)
{
	if (owner != NULL && dice(20) == 0)
		free_owner();
}

/* To nest as many deliveries as the library allows. */
static struct evresult
deeper(void *value, void *arg)
{
	unsigned *left = arg;
	struct evdeferred *d;

	(void)value;
	if (*left == 0 || !base_is_open) {
		steps(4);
		return evresult_value(NULL);
	}
	--*left;
	d = evdeferred_new(base, NULL, NULL);
	evdeferred_add_callback(d, deeper, left);
	evdeferred_callback(d, NULL);
	evdeferred_detach(d);
	return evresult_value(NULL);
}

static unsigned ladder;

static void
step_deeper(void)
{
	if (ladder > 0)
		return;
	ladder = dice(MAX_DEPTH);
	deeper(NULL, &ladder);
}

static void
step_end_of_base(void)
{
	if (!base_is_open || in_handler || dice(40) != 0)
		return;
	base_is_open = false;
	support_free_base();
}

static void
step_end_of_lock(void)
{
	if (!lock_is_open || dice(20) != 0)
		return;
	lock_is_open = false;
	evrwlock_free(lock);
}

static void
step(void)
{
	static void (*const all[])(void) = {step_new, step_new, step_fired,
	    step_fire, step_fire, step_fire, step_add, step_add, step_add,
	    step_add, step_add, step_chain, step_pause, step_unpause,
	    step_cancel, step_free, step_detach, step_timeout, step_lock,
	    step_release, step_deeper, step_end_of_base, step_end_of_lock,
	    step_end_of_owner};

	all[dice(sizeof(all) / sizeof(*all))]();
}

static void
steps(unsigned most)
{
	unsigned count = 1 + dice(most);

	while (count-- > 0 && budget > 0) {
		budget--;
		step();
	}
}

static void
unhandled(const struct evfailure *failure, void *arg)
{
	const bool was_in_handler = in_handler;

	(void)arg;
	require(evfailure_get_code(failure) > 0);
	in_handler = true;
	interfere();
	in_handler = was_in_handler;
}

/* Everybody does what is still to be done, and no more. */
static void
finish(void)
{
	struct subject *s;
	size_t i;

	budget = 0;
	for (i = 0; i < subject_count; i++) {
		s = &subjects[i];
		while (s->consumer != GONE && s->pauses > 0)
			unpause(s);
		if (s->consumer == OWNED) {
			s->consumer = GONE;
			s->freed = true;
			evdeferred_free(s->d);
		}
	}
	for (i = 0; i < subject_count; i++) {
		s = &subjects[i];
		if (s->owes) {
			s->owes = false;
			require(evdeferred_callback(s->d, NULL) == 0);
		}
	}
	if (lock_is_open)
		evrwlock_free(lock);
	free_owner();
	if (base_is_open)
		support_free_base();
	while (reads > 0 || writes > 0)
		step_release();
}

static void
run_world(void)
{
	long passed = 0, ms;
	size_t i;

	dice_seed((world + 1) * UINT64_C(0x9e3779b97f4a7c15));
	loop = support_new_loop();
	base = evdefer_base_new(loop);
	require(base != NULL);
	evdefer_base_set_unhandled(base, unhandled, NULL);
	lock = evrwlock_new(base, dice(2) == 0 ? EVRWLOCK_FAST : 0);
	has_owner = dice(2) == 0;
	owner = has_owner ? evowner_new(base, NULL) : NULL;
	base_is_open = lock_is_open = true;
	in_handler = false;
	kind = dice(3);
	subject_count = link_count = value_count = 0;
	memset(values, 0, sizeof(values));
	ladder = 0;
	budget = 20 + (int)dice(150);

	while (budget > 0) {
		steps(6);
		ms = dice(3) == 0 ? 1000 * (long)dice(3) : 0;
		passed += ms;
		clock_advance(ms);
		turns(1);
	}
	finish();
	event_base_free(loop);
	/* Check takes the time of its tests too. */
	clock_advance(-passed);
	for (i = 0; i < value_count; i++)
		require(values[i].held == 0);
	for (i = 0; i < link_count; i++)
		require(!links[i].owned);
}

START_TEST(random_calls_lose_nothing)
{
	run_worlds(run_world, support_scale() / 2000, SEEDS, _i);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("random");
	TCase *tc = tcase_create("Deferreds");

	tcase_add_loop_test(tc, random_calls_lose_nothing, 0, SEEDS);
	tcase_set_timeout(tc, 120);
	suite_add_tcase(suite, tc);
	return support_main(suite);
}
