/* SPDX-License-Identifier: MIT */
/*
 * Random calls that mix all types: locks, owners, semaphores, mutexes, queues,
 * combinations, coroutines, bodies, timers, from everywhere that the library
 * calls us, with allocations that fail now and then, and with everything freed
 * at any time.
 *
 * What has to hold whatever they do: nobody is inside with somebody who
 * excludes it, what is held can be released, each owned value is received or
 * disposed of once, an owner that was freed gets nothing any more, each
 * coroutine cleans up once, and in the end no memory is left.
 *
 * EVDEFER_TEST_SCALE / 4000 is the number of worlds for each seed.
 */
#include "dice.h"
#include "waiters.h"
#include "worlds.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#define SEEDS 20
#define MAX_SUBJECTS 24
#define MAX_DEPTH 20 /* of the library's 16 nested deliveries, and more */
#define LOCKS 4
#define OWNERS 3

enum type { LOCK, SEMAPHORE, MUTEX };

/* Who releases what was granted. */
enum keeper { ANYBODY, ROUTINE, LIBRARY };

/* What somebody has, until it is released. */
struct token {
	struct token *next;
	enum type type;
	void *of;
	enum evrwlock_mode mode;
	struct evowner *owner; /* NULL if it has none */
	enum keeper keeper;
	bool over; /* its owner was freed */
};

/* Everything that was ever made to be held, the latest first. */
struct thing {
	struct thing *next;
	void *of;
	enum type type;
	size_t place; /* of a lock */
};

/* An acquire that hands on its grant unreceived: what the lock of each place
 * stands for then, since only the lock is to be seen. */
static const struct {
	enum evrwlock_mode mode;
	int owner;
} raw[LOCKS] = {{EVRWLOCK_READ, -1}, {EVRWLOCK_WRITE, -1}, {EVRWLOCK_READ, 0},
    {EVRWLOCK_WRITE, 1}};

/* Somebody who has to fire a Deferred; it ends a body. */
struct producer {
	struct producer *next;
	struct evdeferred *d; /* NULL when called off */
	struct token *token;
};

struct value {
	struct value *next;
	bool held; /* by the library */
};

struct routine {
	struct evcoro co;
	int waits;
	struct token *token;
	bool clean;
};

static struct evdeferred *subjects[MAX_SUBJECTS];
static size_t subject_count;
static max_align_t arena[1 << 14]; /* ours, which lives as long as the world */
static size_t arena_used;
static struct thing *things;
static struct token *tokens;
static struct producer *producers;
static struct value *values;
static struct evrwlock *locks[LOCKS];
static struct evowner *owners[OWNERS];
static struct evowner *dying; /* is being freed */
static struct evsemaphore *semaphore;
static struct evmutex *mutex;
static struct evqueue *queue;
static int routines;
static bool base_is_open;
static int depth, budget;
static long passed;

static void steps(unsigned most);

static void
interfere(void)
{
	if (dice(3) == 0)
		steps(3);
}

/* These are not the allocations that are to fail. */
static void *
get(size_t size)
{
	void *block = &arena[arena_used];

	arena_used += (size + sizeof(arena[0]) - 1) / sizeof(arena[0]);
	require(arena_used <= sizeof(arena) / sizeof(arena[0]));
	memset(block, 0, size);
	return block;
}

static void
remember(void *of, enum type type, size_t place)
{
	struct thing *thing = get(sizeof(*thing));

	*thing = (struct thing){things, of, type, place};
	things = thing;
}

/*
 * What is held.
 */

static bool
excludes(const struct token *a, const struct token *b)
{
	if (a->of != b->of || a->over || b->over)
		return false;
	if (a->type == MUTEX)
		return true;
	return a->type == LOCK &&
	       (a->mode == EVRWLOCK_WRITE || b->mode == EVRWLOCK_WRITE) &&
	       (a->owner == NULL || a->owner != b->owner);
}

static struct token *
hold(enum type type, void *of, enum evrwlock_mode mode, struct evowner *owner)
{
	struct token *token = get(sizeof(*token)), *other;
	size_t inside = 1;

	token->type = type;
	token->of = of;
	token->mode = mode;
	token->owner = owner;
	for (other = tokens; other != NULL; other = other->next) {
		require(!excludes(token, other));
		inside += other->of == of && !other->over;
	}
	require(type != SEMAPHORE || inside <= 2);
	token->next = tokens;
	tokens = token;
	return token;
}

static void
forget(struct token *token)
{
	struct token **at = &tokens;

	while (*at != token)
		at = &(*at)->next;
	*at = token->next;
}

static void
release(struct token *token)
{
	const struct token t = *token;

	forget(token);
	if (t.over || t.keeper == LIBRARY)
		return;
	if (t.type == SEMAPHORE)
		require(evsemaphore_release(t.of, NULL) == 0);
	else if (t.type == MUTEX)
		require(evmutex_release(t.of, NULL) == 0);
	else if (t.owner == NULL && dice(2) == 0)
		require(release_by_name(t.of, t.mode) == 0);
	else
		require(evrwlock_release(t.of, t.owner, t.mode) == 0);
}

static void
step_release(void)
{
	struct token *token = tokens, *found = NULL;
	unsigned seen = 0;

	for (; token != NULL; token = token->next)
		if (token->keeper == ANYBODY && dice(++seen) == 0)
			found = token;
	if (found != NULL)
		release(found);
}

/*
 * Values.
 */

static void
dispose(void *data)
{
	struct value *value = data;

	require(value->held);
	value->held = false;
	interfere();
}

static struct evresult
new_value(void)
{
	struct value *value = get(sizeof(*value));

	value->next = values;
	values = value;
	value->held = true;
	return evresult_owned(value, dispose);
}

/* What came out of a Deferred.  The token, if it was a grant. */
static struct token *
receive(void *data)
{
	struct value *value;
	struct thing *thing = things;
	struct evowner *owner = NULL;

	if (data == NULL)
		return NULL;
	for (value = values; value != NULL; value = value->next) {
		if (value != data)
			continue;
		require(value->held);
		value->held = false;
		return NULL;
	}
	while (thing != NULL && thing->of != data)
		thing = thing->next;
	require(thing != NULL);
	if (thing->type != LOCK)
		return hold(thing->type, data, EVRWLOCK_WRITE, NULL);
	if (raw[thing->place].owner >= 0)
		owner = owners[raw[thing->place].owner];
	return hold(LOCK, data, raw[thing->place].mode, owner);
}

static struct evresult
some_result(void)
{
	switch (dice(4)) {
	case 0:
		return new_value();
	case 1:
		return evresult_fail(EIO, "some failure");
	default:
		return evresult_value(NULL);
	}
}

/*
 * Deferreds that somebody has to fire.
 */

static void
called_off(struct evdeferred *d, void *arg)
{
	struct producer *producer = arg;

	producer->d = NULL;
	if (producer->token != NULL)
		release(producer->token);
	producer->token = NULL;
	if (dice(4) == 0)
		require(evdeferred_callback(d, NULL) == 0);
	interfere();
}

static struct evdeferred *
new_produced(struct token *token)
{
	struct producer *producer = get(sizeof(*producer));

	producer->token = token;
	producer->next = producers;
	producers = producer;
	producer->d = evdeferred_new(base, called_off, producer);
	return producer->d;
}

static void
produce(struct producer *producer)
{
	struct evdeferred *d = producer->d;

	if (d == NULL)
		return;
	producer->d = NULL;
	if (producer->token != NULL)
		release(producer->token);
	producer->token = NULL;
	require(evdeferred_fire(d, some_result()) == 0);
}

static void
step_produce(void)
{
	struct producer *producer = producers;

	while (producer != NULL && (producer->d == NULL || dice(3) == 0))
		producer = producer->next;
	if (producer != NULL)
		produce(producer);
}

/*
 * Sources: Deferreds of all kinds.  A value that comes out of them is one that
 * receive() knows.
 */

static struct evdeferred *new_source(void);

/* What a body or a callback returns. */
static struct evresult
go_on(void)
{
	struct evdeferred *d;

	if (dice(4) > 0 || (d = new_source()) == NULL)
		return some_result();
	return evresult_deferred(d);
}

/* What an acquire was for. */
struct wish {
	struct evrwlock *lock;
	enum evrwlock_mode mode;
	struct evowner *owner;
	bool refused; /* its owner was being freed */
};

static struct evresult
granted(struct evresult result, void *arg)
{
	const struct wish *wish = arg;

	if (evresult_is_failure(result))
		return dice(2) == 0 ? result : evresult_value(NULL);
	require(!wish->refused);
	require(evresult_get_value(result) == wish->lock);
	hold(LOCK, wish->lock, wish->mode, wish->owner);
	interfere();
	return evresult_value(NULL);
}

/* The end of a body that has the token. */
static struct evresult
end_body(struct token *token)
{
	struct evdeferred *d;

	token->keeper = LIBRARY;
	interfere();
	if (dice(3) == 0 || (d = new_produced(token)) == NULL) {
		release(token);
		return go_on();
	}
	return evresult_deferred(d);
}

static struct evresult
lock_body(void *arg)
{
	const struct wish *wish = arg;

	require(!wish->refused);
	return end_body(hold(LOCK, wish->lock, wish->mode, wish->owner));
}

static struct evresult
token_body(void *thing)
{
	return end_body(receive(thing));
}

/* Adds a link that must be there, or frees d. */
static struct evdeferred *
with_link(struct evdeferred *d, evdeferred_both_fn both, void *arg)
{
	if (d == NULL || evdeferred_add_both(d, both, arg) == 0)
		return d;
	evdeferred_free(d);
	errno = ENOMEM;
	return NULL;
}

static struct wish *
new_wish(void)
{
	struct wish *wish = get(sizeof(*wish));

	wish->lock = locks[dice(LOCKS)];
	wish->mode = mode_of((int)dice(2));
	if (dice(3) > 0)
		wish->owner = owners[dice(OWNERS)];
	if (dice(8) == 0 && dying != NULL) {
		wish->owner = dying;
		wish->refused = true;
	}
	return wish;
}

static struct evdeferred *
new_acquire(void)
{
	struct wish *wish = new_wish();
	struct evdeferred *d;

	if (wish->owner == NULL && dice(2) == 0)
		d = acquire_by_name(wish->lock, wish->mode);
	else
		d = evrwlock_acquire(wish->lock, wish->owner, wish->mode);
	return with_link(d, granted, wish);
}

static struct evdeferred *
new_raw(void)
{
	const size_t i = dice(LOCKS);

	if (raw[i].owner < 0)
		return acquire_by_name(locks[i], raw[i].mode);
	/* Without it, that would be an acquire for nobody in particular. */
	if (owners[raw[i].owner] == NULL)
		return NULL;
	return evrwlock_acquire(locks[i], owners[raw[i].owner], raw[i].mode);
}

static struct evdeferred *
new_with(void)
{
	struct wish *wish = new_wish();

	if (wish->owner == NULL && dice(2) == 0)
		return with_by_name(wish->lock, wish->mode, lock_body, wish);
	return evrwlock_with(
	    wish->lock, wish->owner, wish->mode, NULL, lock_body, wish);
}

static struct evresult
run_routine(struct evcoro *co, void *arg)
{
	struct routine *r = arg;
	struct token *token;

	EVCORO_BEGIN(co);
	while (r->waits-- > 0) {
		EVCORO_TRY(co, new_source());
		token = receive(evcoro_value(co));
		if (token != NULL && r->token == NULL) {
			r->token = token;
			token->keeper = ROUTINE;
		}
		interfere();
		if (evcoro_failure(co) != NULL && dice(2) == 0)
			EVCORO_RETURN(
			    evresult_from_failure(evcoro_failure(co)));
	}
	EVCORO_RETURN(go_on());

	EVCORO_FINALLY(co);
	require(!r->clean);
	r->clean = true;
	routines--;
	if (r->token != NULL)
		release(r->token);
	interfere();
	EVCORO_END(co);
}

static struct evdeferred *
new_routine(void)
{
	struct routine *r = get(sizeof(*r));
	struct evdeferred *d;

	r->waits = (int)dice(4);
	routines++;
	d = evcoro_start(base, &r->co, run_routine, r, NULL);
	if (d == NULL)
		routines--;
	return d;
}

/* Unpacks what a combination fires with. */
static struct evresult
unpack(struct evresult result, void *arg)
{
	struct evresults *results;
	struct evresult one;
	size_t i;

	(void)arg;
	if (evresult_is_failure(result))
		return dice(2) == 0 ? result : evresult_value(NULL);
	results = evresult_get_value(result);
	for (i = 0; i < evresults_get_count(results); i++) {
		if (dice(4) == 0)
			continue;
		one = evresults_take(results, i);
		if (evresult_is_failure(one) || dice(3) == 0)
			evresult_dispose(one);
		else if (dice(3) > 0 || evqueue_put(queue, one) == -1)
			receive(evresult_get_value(one));
		interfere();
	}
	evresults_free(results);
	return go_on();
}

/* If an input is there twice its value is too, but the duty to free it is
 * not. */
static struct evresult
drop(struct evresult result, void *arg)
{
	(void)arg;
	evresult_dispose(result);
	return go_on();
}

/* Takes over the inputs, the last of which may be there twice. */
static struct evdeferred *
combine(struct evdeferred **inputs, size_t count)
{
	const bool twice = count > 1 && inputs[count - 1] == inputs[0];
	struct evdeferred *d;
	size_t i;

	if (count == 0)
		d = evdeferred_gather(base, NULL, 0, 0);
	else if (dice(3) == 0)
		d = evdeferred_race(base, inputs, count);
	else
		d = evdeferred_list(base, inputs, count, dice(16));
	if (d != NULL)
		return with_link(d, twice ? drop : unpack, NULL);
	for (i = 0; i < count - twice; i++)
		evdeferred_free(inputs[i]);
	errno = ENOMEM;
	return NULL;
}

static struct evdeferred *
new_combination(void)
{
	struct evdeferred *inputs[4];
	size_t count = dice(4), i;

	for (i = 0; i < count; i++) {
		inputs[i] = new_source();
		if (inputs[i] == NULL)
			count = i;
	}
	return combine(inputs, count);
}

static struct evdeferred *
new_later(void)
{
	const struct timeval delay = {(time_t)dice(3), 0};

	return evdeferred_later(base, &delay, NULL, NULL);
}

static struct evdeferred *
new_fired(void)
{
	struct evresult result = some_result();
	struct evdeferred *d = evdeferred_new_fired(base, result);

	if (d == NULL)
		evresult_dispose(result);
	errno = ENOMEM;
	return d;
}

static struct evdeferred *
new_source(void)
{
	budget--;
	switch (budget > 0 ? dice(14) : 13) {
	case 0:
	case 1:
		return new_raw();
	case 2:
	case 3:
		return new_acquire();
	case 4:
		return new_with();
	case 5:
		return evsemaphore_acquire(semaphore, NULL);
	case 6:
		return evmutex_acquire(mutex, NULL);
	case 7:
		return dice(2) == 0
			   ? evsemaphore_with(
				 semaphore, NULL, NULL, token_body, semaphore)
			   : evmutex_with(mutex, NULL, NULL, token_body, mutex);
	case 8:
		return evqueue_get(queue);
	case 9:
		return new_later();
	case 10:
		return new_routine();
	case 11:
		return new_combination();
	case 12:
		return new_produced(NULL);
	default:
		return new_fired();
	}
}

/*
 * Steps.
 */

static struct evresult
on_result(struct evresult result, void *arg)
{
	(void)arg;
	interfere();
	if (dice(4) == 0)
		return result;
	if (evresult_is_failure(result))
		return go_on();
	if (dice(4) > 0 || evqueue_put(queue, result) == -1)
		receive(evresult_get_value(result));
	interfere();
	return go_on();
}

static void
store(struct evdeferred *d)
{
	d = with_link(d, on_result, NULL);
	if (d == NULL)
		return;
	if (subject_count < MAX_SUBJECTS)
		subjects[subject_count++] = d;
	else
		evdeferred_detach(d);
}

static struct evdeferred *
any_subject(void)
{
	return subject_count > 0 ? subjects[dice((unsigned)subject_count)]
				 : NULL;
}

static struct evdeferred *
take_subject(void)
{
	struct evdeferred *d;
	size_t i;

	if (subject_count == 0)
		return NULL;
	i = dice((unsigned)subject_count);
	d = subjects[i];
	subjects[i] = subjects[--subject_count];
	return d;
}

static void
step_timeout(void)
{
	const struct timeval timeout = {(time_t)dice(3), 0};
	struct evdeferred *d = any_subject();

	if (d != NULL)
		evdeferred_add_timeout(d, &timeout);
}

static void
step_combine(void)
{
	struct evdeferred *inputs[5];
	size_t count = 0, most = 1 + dice(4);

	while (count < most && subject_count > 0)
		inputs[count++] = take_subject();
	if (count > 0 && dice(4) == 0) {
		inputs[count] = inputs[0];
		count++;
	}
	store(combine(inputs, count));
}

/* A get that came out of its own queue would wait for itself. */
static void
step_put(void)
{
	struct evdeferred *d = dice(4) == 0 ? new_produced(NULL) : NULL;
	struct evresult object =
	    d != NULL ? evresult_deferred(d) : some_result();

	if (evqueue_put(queue, object) == -1)
		evresult_dispose(object);
}

static void
step_try(void)
{
	const struct wish *wish = new_wish();
	int result;

	if (dice(4) == 0 && evsemaphore_try(semaphore, NULL) == 0)
		hold(SEMAPHORE, semaphore, EVRWLOCK_WRITE, NULL);
	if (dice(4) == 0 && evmutex_try(mutex, NULL) == 0)
		hold(MUTEX, mutex, EVRWLOCK_WRITE, NULL);
	if (wish->owner == NULL && dice(2) == 0)
		result = try_by_name(wish->lock, wish->mode);
	else
		result = evrwlock_try(wish->lock, wish->owner, wish->mode);
	if (result == 0) {
		require(!wish->refused);
		hold(LOCK, wish->lock, wish->mode, wish->owner);
	}
}

static void
renew_owner(size_t i)
{
	struct evowner *old = owners[i], *outer = dying;
	struct token *token;

	for (token = tokens; token != NULL; token = token->next)
		if (old != NULL && token->owner == old)
			token->over = true;
	owners[i] = base_is_open ? evowner_new(base, NULL) : NULL;
	dying = old;
	evowner_free(old);
	dying = outer;
}

static void
renew_lock(size_t i, bool again)
{
	struct evrwlock *old = locks[i];

	locks[i] = again ? evrwlock_new(base, dice(2)) : NULL;
	if (locks[i] != NULL)
		remember(locks[i], LOCK, i);
	evrwlock_free(old);
}

static void
renew_others(bool again)
{
	struct evsemaphore *old_semaphore = semaphore;
	struct evmutex *old_mutex = mutex;
	struct evqueue *old_queue = queue;

	semaphore = again ? evsemaphore_new(base, 2, dice(2)) : NULL;
	mutex = again ? evmutex_new(base, dice(2)) : NULL;
	queue = again ? evqueue_new(base, 3, 4, dice(2)) : NULL;
	if (semaphore != NULL)
		remember(semaphore, SEMAPHORE, 0);
	if (mutex != NULL)
		remember(mutex, MUTEX, 0);
	evsemaphore_free(old_semaphore);
	evmutex_free(old_mutex);
	evqueue_free(old_queue);
}

static void
step(void)
{
	switch (dice(22)) {
	case 0:
	case 1:
	case 2:
	case 3:
	case 4:
		store(new_source());
		break;
	case 5:
	case 6:
		evdeferred_cancel(any_subject());
		break;
	case 7:
		evdeferred_free(take_subject());
		break;
	case 8:
		evdeferred_detach(take_subject());
		break;
	case 9:
		step_timeout();
		break;
	case 10:
		step_combine();
		break;
	case 11:
	case 12:
		step_put();
		break;
	case 13:
		step_try();
		break;
	case 14:
	case 15:
		step_produce();
		break;
	case 16:
		if (dice(3) == 0)
			renew_owner(dice(OWNERS));
		break;
	case 17:
		if (dice(4) == 0)
			renew_lock(dice(LOCKS), base_is_open);
		break;
	case 18:
		if (dice(8) == 0)
			renew_others(base_is_open);
		break;
	default:
		step_release();
		break;
	}
}

static void
steps(unsigned most)
{
	unsigned count = 1 + dice(most);

	if (depth >= MAX_DEPTH)
		return;
	depth++;
	while (count-- > 0 && budget-- > 0)
		step();
	depth--;
}

static void
unhandled(const struct evfailure *failure, void *arg)
{
	(void)arg;
	require(evfailure_get_code(failure) > 0);
	interfere();
}

/*
 * Worlds.
 */

static void
begin(void)
{
	size_t i;

	loop = support_new_loop();
	base = evdefer_base_new(loop);
	require(base != NULL);
	evdefer_base_set_unhandled(base, unhandled, NULL);
	base_is_open = true;
	for (i = 0; i < LOCKS; i++)
		renew_lock(i, true);
	for (i = 0; i < OWNERS; i++)
		renew_owner(i);
	renew_others(true);
}

/* Time is over for what waits for it. */
static void
let_pass(long ms)
{
	passed += ms;
	clock_advance(ms);
	turns(1);
}

/* Does anybody still have to do something? */
static bool
is_busy(void)
{
	const struct producer *producer = producers;
	const struct token *token = tokens;

	while (producer != NULL && producer->d == NULL)
		producer = producer->next;
	while (token != NULL && token->keeper != ANYBODY)
		token = token->next;
	return producer != NULL || token != NULL;
}

/* Everybody does what is still to be done, and no more. */
static void
finish(void)
{
	struct producer *producer;
	size_t i;

	budget = 0;
	base_is_open = false; /* nothing new is made */
	while (subject_count > 0)
		evdeferred_free(take_subject());
	let_pass(3000);
	if (dice(2) == 0)
		support_free_base();
	for (i = 0; i < LOCKS; i++)
		renew_lock(i, false);
	renew_others(false);
	for (i = 0; i < OWNERS; i++)
		renew_owner(i);
	while (base != NULL || is_busy()) {
		step_release();
		for (producer = producers; producer != NULL;
		     producer = producer->next)
			produce(producer);
		if (base != NULL && !is_busy())
			support_free_base();
	}
	event_base_free(loop);
}

static void
check_nothing_left(void)
{
	struct value *value;

	require(routines == 0);
	require(tokens == NULL);
	for (value = values; value != NULL; value = value->next)
		require(!value->held);
}

static void
run_world(void)
{
	const bool failing = world % 3 == 2;

	dice_seed((world + 1) * UINT64_C(0x9e3779b97f4a7c15));
	passed = 0;
	budget = 0;
	arena_used = 0;
	values = NULL;
	producers = NULL;
	things = NULL;
	begin();
	budget = 50 + (int)dice(250);
	while (budget > 0) {
		if (failing)
			alloc_fail_at(1 + dice(10), dice(8) == 0);
		steps(6);
		alloc_fail_at(0, false);
		let_pass(dice(3) == 0 ? 1000 * (long)dice(3) : 0);
	}
	finish();
	/* Check takes the time of its tests too. */
	clock_advance(-passed);
	check_nothing_left();
}

START_TEST(all_types_together_lose_nothing)
{
	run_worlds(run_world, support_scale() / 4000, SEEDS, _i);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("mixed");
	TCase *tc = tcase_create("all types");

	tcase_add_loop_test(tc, all_types_together_lose_nothing, 0, SEEDS);
	tcase_set_timeout(tc, 120);
	suite_add_tcase(suite, tc);
	return support_main(suite);
}
