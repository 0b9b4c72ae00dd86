/* SPDX-License-Identifier: MIT */
/*
 * A string of bytes as a program of calls on the library.
 *
 * The first byte chooses how the program begins and ends, each further one a
 * call, with its operands behind it.  All functions of ours that the library
 * calls take their calls from the same string: callbacks, bodies, cleanups,
 * cancellers, free functions, the handler of unhandled failures.  They may free,
 * cancel and close the very thing at work, and once more what is being freed.
 * It ends with everything fired, released and freed; the loop and the base go
 * last.
 *
 * With FUZZ_SHOW in the environment it shows each call and the bytes after it.
 *
 * What must hold, whatever the bytes are:
 *
 *  - no crash, and all memory is back at the end;
 *  - each owned value is received or disposed of, once;
 *  - a writer is alone, or with what its own owner has;
 *  - who holds something can give it back, also where memory ran out;
 *  - nothing is granted to an owner that is gone.
 *
 * To keep the reference small each grant goes first through a link of ours,
 * which turns it into one of our values: to dispose of that releases.  So
 * holds travel through chains, lists and queues as values do.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include <event2/event.h>
#include <evdefer.h>

#include "../alloc.h"
#include "../clock.h"

#define SLOTS 8	      /* Deferreds, and as many producers */
#define KINDS 2	      /* of each type: the second is EV*_FAST */
#define THINGS 4096   /* tokens and arguments of one program */
#define MAX_SIZE 1024 /* bytes of a program that count */
#define GOING 16      /* Deferreds that are being freed at once */

/* Asserted also with NDEBUG. */
#define MUST(condition)                                                        \
	do {                                                                   \
		if (!(condition))                                              \
			broken(__LINE__, #condition);                          \
	} while (0)

enum what { VALUE, READ, WRITE, SEMAPHORE, MUTEX };

/* An owned value of ours, and the hold that it stands for. */
struct token {
	bool out; /* the library has it */
	bool held;
	enum what what;
	void *on; /* the lock */
	int owner;
};

/* What a link of ours has to know. */
struct link {
	struct evdeferred *d;
	struct evcoro coro;
	enum what what;
	const void *on; /* of a body that runs under a lock */
	int owner;	/* -1: anonymous */
	unsigned life;
	bool opaque; /* results that can't be taken out */
};

struct slot {
	struct evdeferred *d;
	bool raw;  /* its value is none of ours */
	bool get;  /* from a queue: not to be put there, to wait for itself */
	bool leaf; /* it can't come to wait for another Deferred */
	bool combined; /* a combination, which nothing is to wait for */
	int pauses;
};

static struct world {
	struct event_base *loop;
	struct evdefer_base *base;
	const uint8_t *data;
	size_t left;
	size_t tokens, links;
	bool ending, detaches, of_leaves, shows;
	int depth;
	long ms; /* that the clock went ahead */

	struct slot slots[SLOTS];
	struct evdeferred *producers[SLOTS];
	struct evdeferred *at;		 /* whose function runs */
	struct evdeferred *going[GOING]; /* whose free has not returned */
	int gone;
	struct evresults *results; /* the same */
	struct evdeferred
	    *keeper; /* of the base's memory, once that is freed */
	bool base_goes;
	struct evrwlock *locks[KINDS];
	bool lock_goes[KINDS];
	struct evsemaphore *semaphores[KINDS];
	bool semaphore_goes[KINDS];
	struct evmutex *mutexes[KINDS];
	bool mutex_goes[KINDS];
	struct evqueue *queues[KINDS];
	bool queue_goes[KINDS];
	struct evowner *owners[KINDS];
	bool owner_goes[KINDS];
	unsigned life[KINDS]; /* which owner there is, counted */
} w;
static struct token tokens[THINGS];
static struct link links[THINGS];

static void calls(unsigned count);
static void calls_of(struct evdeferred *d, unsigned count);

static void
broken(int line, const char *condition)
{
	fprintf(stderr, "fuzz_calls.c:%d: broken: %s\n", line, condition);
	abort();
}

static unsigned
next(void)
{
	if (w.left == 0)
		return 0;
	w.left--;
	return *w.data++;
}

/* Things last for the whole program, which is short. */
static struct link *
new_link(enum what what, int owner)
{
	struct link *link = &links[w.links % THINGS];

	MUST(w.links++ < THINGS);
	memset(link, 0, sizeof(*link));
	link->what = what;
	link->owner = owner;
	link->life = owner == -1 ? 0 : w.life[owner];
	return link;
}

/*
 * Values and holds.
 */

static struct token *
new_token(void)
{
	struct token *token = &tokens[w.tokens % THINGS];

	MUST(w.tokens++ < THINGS);
	memset(token, 0, sizeof(*token));
	return token;
}

/* Gives back, if that was not done before. */
static void
release(struct token *token)
{
	struct evowner *owner =
	    token->owner == -1 ? NULL : w.owners[token->owner];
	int rc = -1;

	if (!token->held)
		return;
	token->held = false;
	switch (token->what) {
	case VALUE:
		return;
	case READ:
		rc = token->owner == -1
			 ? evrwlock_reader_release(token->on)
			 : evrwlock_release(token->on, owner, EVRWLOCK_READ);
		break;
	case WRITE:
		rc = token->owner == -1
			 ? evrwlock_writer_release(token->on)
			 : evrwlock_release(token->on, owner, EVRWLOCK_WRITE);
		break;
	case SEMAPHORE:
		rc = evsemaphore_release(token->on, NULL);
		break;
	case MUTEX:
		rc = evmutex_release(token->on, NULL);
		break;
	}
	MUST(rc == 0);
}

static void
dispose(void *value)
{
	struct token *token = value;

	MUST(token->out);
	token->out = false;
	release(token);
	calls(next() % 2);
}

/* Hands a token to the library. */
static struct evresult
hand_out(struct token *token)
{
	MUST(!token->out);
	token->out = true;
	return evresult_owned(token, dispose);
}

/* The same, as what a failure carries. */
static struct evresult
fail_with(struct token *token)
{
	MUST(!token->out);
	token->out = true;
	return evresult_fail_with(token, dispose, EIO, NULL);
}

/* Who is inside beside the one that enters? */
static void
check_alone(enum what what, const void *on, int owner)
{
	size_t i;

	for (i = 0; i < w.tokens; i++) {
		const struct token *other = &tokens[i];

		if (!other->held || other->on != on ||
		    (owner != -1 && other->owner == owner))
			continue;
		MUST(what == READ || what == SEMAPHORE);
		MUST(other->what == READ || other->what == SEMAPHORE);
	}
}

static struct token *
hold(enum what what, void *on, int owner)
{
	struct token *token = new_token();

	check_alone(what, on, owner);
	token->held = true;
	token->what = what;
	token->on = on;
	token->owner = owner;
	return token;
}

static void
release_one(unsigned which)
{
	size_t i;

	for (i = 0; i < w.tokens; i++) {
		struct token *token = &tokens[(i + which) % w.tokens];

		if (token->held && !token->out) {
			release(token);
			return;
		}
	}
}

/*
 * Slots.
 */

/* The consumer's handle, out of its slot, to be freed or handed over. */
static struct evdeferred *
take(struct slot *slot)
{
	struct evdeferred *d = slot->d;
	int pauses = slot->pauses;

	slot->d = NULL;
	slot->pauses = 0;
	while (pauses-- > 0)
		MUST(evdeferred_unpause(d) == 0);
	return d;
}

/* Frees it, and remembers that while its functions run. */
static void
free_deferred(struct evdeferred *d)
{
	if (w.gone == GOING) {
		evdeferred_free(d);
		return;
	}
	w.going[w.gone++] = d;
	evdeferred_free(d);
	w.gone--;
}

/* Where it is then; NULL for no Deferred. */
static struct slot *
put(struct evdeferred *d, bool raw)
{
	struct slot *slot = &w.slots[next() % SLOTS];
	struct evdeferred *old;

	if (d == NULL)
		return NULL;
	/* To take the old one out may fill the slot again. */
	while (slot->d != NULL) {
		old = take(slot);
		free_deferred(old);
	}
	*slot = (struct slot){.d = d, .raw = raw, .leaf = raw};
	return slot;
}

static struct slot *
some_slot(void)
{
	struct slot *slot = &w.slots[next() % SLOTS];

	return slot->d == NULL ? NULL : slot;
}

/* One that a chain may wait for. */
static struct slot *
some_result_slot(void)
{
	struct slot *slot = some_slot();

	return slot == NULL || slot->raw || slot->combined ? NULL : slot;
}

static int
code(void)
{
	return (int)(next() % 4) - 1;
}

static struct evresult
some_result(const struct evdeferred *own)
{
	unsigned kind = w.ending ? 0 : next() % 8;
	struct slot *slot;
	struct evdeferred *d;

	switch (kind) {
	case 1:
	case 2:
	case 3:
		return hand_out(new_token());
	case 4:
		return evresult_fail(code(), next() % 2 ? "why" : NULL);
	case 5:
	case 6:
		slot = some_result_slot();
		if (slot == NULL || (slot->get && own == NULL))
			break;
		if (slot->d == own)
			return evresult_deferred(slot->d); /* stays ours */
		d = take(slot);
		return evresult_deferred(d);
	case 7:
		return fail_with(new_token());
	}
	return evresult_value(NULL);
}

/*
 * What runs in chains.
 */

static struct evresult
received(void *value, void *arg)
{
	const struct link *link = arg;
	struct token *token = value;

	if (token != NULL) {
		MUST(token >= tokens && token < tokens + THINGS);
		MUST(token->out);
		token->out = false;
	}
	calls_of(link->d, next() % 4);
	if (token != NULL && w.ending)
		release(token);
	if (token != NULL && !w.ending && next() % 2)
		return hand_out(token);
	return some_result(link->d);
}

static struct evresult
failed(struct evfailure *failure, void *arg)
{
	const struct link *link = arg;
	const struct evresults *results = evfailure_get_results(failure);
	size_t i;

	MUST(evfailure_get_code(failure) > 0);
	MUST(evfailure_get_message(failure) != NULL);
	MUST(evfailure_get_file(failure) != NULL);
	for (i = 0; i < evresults_get_count(results); i++)
		MUST(evresult_is_failure(evresults_get(results, i)));
	calls_of(link->d, next() % 4);
	switch (w.ending ? 1 : next() % 3) {
	case 0:
		return evresult_from_failure(failure);
	case 1:
		return some_result(link->d);
	}
	return evresult_wrap(failure, code(), NULL);
}

static struct evresult
either(struct evresult result, void *arg)
{
	if (evresult_is_failure(result)) {
		if (next() % 2)
			return result;
		return failed(evresult_get_failure(result), arg);
	}
	/* As it is: the duty to free it goes on. */
	if (!w.ending && next() % 2)
		return result;
	return received(evresult_get_value(result), arg);
}

/* A grant turns into one of our values. */
static struct evresult
granted(void *value, void *arg)
{
	const struct link *link = arg;
	struct token *token;

	if (link->owner != -1)
		MUST(w.life[link->owner] == link->life &&
		     !w.owner_goes[link->owner]);
	token = hold(link->what, value, link->owner);
	calls_of(link->d, next() % 4);
	if (w.ending)
		release(token);
	/* Kept, or to be disposed of on the way. */
	return next() % 2 ? hand_out(token) : evresult_value(NULL);
}

static void
free_results(struct evresults *results)
{
	struct evresults *outer = w.results;

	w.results = results;
	evresults_free(results);
	w.results = outer;
}

static struct evresult
got_results(void *value, void *arg)
{
	struct evresults *results = value;
	const struct link *link = arg;
	struct evresult result;
	struct token *token;
	size_t i;

	for (i = 0; !link->opaque && i < evresults_get_count(results); i++) {
		if (next() % 2)
			continue;
		result = evresults_take(results, i);
		token = evresult_get_value(result);
		if (token == NULL || next() % 2) {
			evresult_dispose(result);
			continue;
		}
		MUST(token->out);
		token->out = false;
	}
	calls_of(link->d, next() % 4);
	free_results(results);
	return some_result(link->d);
}

/* The same for evdeferred_maybe(), _later() and all that run under a lock. */
static struct evresult
body(void *arg)
{
	const struct link *link = arg;

	if (link->on != NULL)
		check_alone(link->what, link->on, link->owner);
	calls_of(link->d, next() % 4);
	return some_result(link->d);
}

static struct evresult
coroutine(struct evcoro *co, void *arg)
{
	struct link *link = arg;
	struct slot *slot;
	struct evdeferred *d;
	struct token *token;

	EVCORO_BEGIN(co);
	while (!w.ending && next() % 4 != 0) {
		slot = some_result_slot();
		if (slot == NULL || slot->d == link->d)
			continue;
		d = take(slot);
		EVCORO_AWAIT(co, d);
		token = evcoro_value(co);
		if (token != NULL) {
			MUST(token->out);
			token->out = false;
			if (w.ending)
				release(token);
		}
		calls_of(link->d, next() % 4);
	}
	EVCORO_RETURN(some_result(link->d));
	EVCORO_FINALLY(co);
	calls_of(link->d, next() % 2);
	EVCORO_END(co);
}

/* The coroutine is over, and its Deferred may be. */
static void
coroutine_over(void *arg)
{
	const struct link *link = arg;

	calls_of(link->d, next() % 2);
}

/* Who fires d is not to do so any more.  Where that was, or NULL. */
static struct evdeferred **
forget(const struct evdeferred *d)
{
	int i;

	for (i = 0; i < SLOTS; i++) {
		if (w.producers[i] == d) {
			w.producers[i] = NULL;
			return &w.producers[i];
		}
	}
	return NULL;
}

static void
canceller(struct evdeferred *d, void *arg)
{
	struct evresult result;

	(void)arg;
	forget(d);
	calls_of(d, next() % 2);
	if (next() % 2) {
		result = hand_out(new_token());
		if (evdeferred_fire(d, result) == -1)
			evresult_dispose(result);
	}
}

static void
unhandled(const struct evfailure *failure, void *arg)
{
	char text[64];

	(void)arg;
	MUST(evfailure_get_code(failure) > 0);
	evdefer_base_describe_creation(w.base, text, sizeof(text));
	calls(next() % 2);
}

/*
 * The calls.
 */

/* A link for what the Deferred fires with by itself. */
static void
put_with(struct evdeferred *d, evdeferred_callback_fn first, struct link *link)
{
	struct slot *slot;

	if (d == NULL)
		return;
	link->d = d;
	slot = put(d, evdeferred_add_callback(d, first, link) == -1);
	slot->leaf = first == granted;
	slot->combined = first == got_results && !w.of_leaves;
}

/* One whose own function runs: that may return it. */
static void
put_body(struct evdeferred *d, struct link *link)
{
	link->d = d;
	put(d, false);
}

static void
call_new(void)
{
	struct evdeferred **producer = &w.producers[next() % SLOTS];
	struct evdeferred *old = *producer;
	struct evdeferred *d;

	if (old != NULL) {
		*producer = NULL;
		evdeferred_callback(old, NULL);
	}
	d = evdeferred_new(w.base, next() % 2 ? canceller : NULL, NULL);
	if (d == NULL)
		return;
	while (*producer != NULL) {
		old = *producer;
		*producer = NULL;
		evdeferred_callback(old, NULL);
	}
	*producer = d;
	put(d, false);
}

static void
call_fire(void)
{
	struct evdeferred **producer = &w.producers[next() % SLOTS];
	struct evdeferred *d = *producer;
	struct evresult result;

	if (d == NULL)
		return;
	result = some_result(d);
	/* What ran for that may have fired it, or had it cancelled. */
	if (*producer != d) {
		evresult_dispose(result);
		return;
	}
	*producer = NULL;
	MUST(evdeferred_fire(d, result) == 0);
}

static void
call_fired(void)
{
	struct evresult result = some_result(NULL);
	struct evdeferred *d = evdeferred_new_fired(w.base, result);

	if (d == NULL)
		evresult_dispose(result);
	put(d, false);
}

static void
call_add(void)
{
	struct slot *slot = some_slot();
	struct link *link;

	if (slot == NULL || slot->raw)
		return;
	link = new_link(VALUE, -1);
	link->d = slot->d;
	slot->leaf = false;
	switch (next() % 4) {
	case 0:
		evdeferred_add_callback(slot->d, received, link);
		break;
	case 1:
		evdeferred_add_errback(slot->d, failed, link);
		break;
	case 2:
		evdeferred_add_callbacks(slot->d, received, failed, link);
		break;
	case 3:
		evdeferred_add_both(slot->d, either, link);
		break;
	}
}

static void
call_free(void)
{
	struct slot *slot = some_slot();

	if (slot != NULL)
		free_deferred(take(slot));
}

/* Two Deferreds that chain() makes wait for one another can't be let go:
 * nothing would ever fire them.  So a program has one of the two calls. */
static void
call_detach_or_chain(void)
{
	struct slot *slot = some_slot();
	struct slot *other;
	struct evdeferred *d, **producer;

	if (slot == NULL)
		return;
	if (w.detaches) {
		evdeferred_detach(take(slot));
		return;
	}
	other = some_slot();
	if (other == NULL || slot->raw || other->raw)
		return;
	/* The link is the producer then, and may fire it at once. */
	d = other->d;
	producer = forget(d);
	if (evdeferred_chain(slot->d, d) == 0)
		return;
	if (producer != NULL)
		*producer = d;
	MUST(errno == EINVAL || errno == EALREADY || errno == EPERM ||
	     errno == EBUSY || errno == ENOMEM);
}

static void
call_pause(void)
{
	struct slot *slot = some_slot();

	if (slot == NULL || slot->pauses == 8)
		return;
	MUST(evdeferred_pause(slot->d) == 0);
	slot->pauses++;
}

static void
call_unpause(void)
{
	struct slot *slot = some_slot();

	if (slot == NULL)
		return;
	if (slot->pauses == 0) {
		MUST(evdeferred_unpause(slot->d) == -1 && errno == EPERM);
		return;
	}
	slot->pauses--;
	MUST(evdeferred_unpause(slot->d) == 0);
}

static void
call_cancel(void)
{
	struct slot *slot = some_slot();

	if (slot != NULL)
		evdeferred_cancel(slot->d);
}

static void
call_timeout(void)
{
	const struct timeval timeout = {next() % 4, 0};
	struct slot *slot = some_slot();

	if (slot != NULL)
		evdeferred_add_timeout(slot->d, &timeout);
}

static void
call_later(void)
{
	const struct timeval delay = {next() % 4, 0};
	struct link *link = new_link(VALUE, -1);

	put_body(evdeferred_later(w.base, &delay, body, link), link);
}

static void
call_maybe(void)
{
	struct link *link = new_link(VALUE, -1);

	put_body(evdeferred_maybe(w.base, body, link), link);
}

static void
call_coroutine(void)
{
	struct link *link = new_link(VALUE, -1);

	put_body(evcoro_start(w.base, &link->coro, coroutine, link,
		     w.links % 2 ? coroutine_over : NULL),
	    link);
}

static void
call_describe(void)
{
	struct slot *slot = some_slot();
	char text[80];

	if (slot != NULL)
		MUST(evdeferred_describe(slot->d, text, next() % 80) > 0);
	if (w.locks[0] != NULL)
		MUST(evrwlock_describe(w.locks[0], text, sizeof(text)) > 0);
}

/* That a part comes to wait for its own combination is not found, and neither
 * is ever fired or freed.  So in some programs the parts can't wait for
 * anything, in the others nothing waits for a combination. */
static struct slot *
some_part(void)
{
	struct slot *slot = some_slot();

	return slot == NULL || (w.of_leaves && !slot->leaf) ? NULL : slot;
}

static void
call_combine(void)
{
	struct evdeferred *inputs[4];
	const unsigned kind = next() % 3;
	const size_t wanted = next() % 5;
	const unsigned flags = next() % 16;
	const bool twice = next() % 8 == 0;
	struct link *link = new_link(VALUE, -1);
	struct evdeferred *d;
	struct slot *slot;
	size_t i, count = 0;

	for (i = 0; i < wanted && count < 4; i++) {
		slot = some_part();
		if (slot == NULL)
			continue;
		link->opaque |= slot->raw;
		inputs[count++] = take(slot);
	}
	if (twice && count > 0 && count < 4) {
		inputs[count] = inputs[0];
		count++;
		link->opaque = true;
	}
	/* Without any it may never fire: not to be let go then. */
	if (count == 0)
		return;
	if (kind == 0)
		d = evdeferred_list(w.base, inputs, count, flags);
	else if (kind == 1)
		d = evdeferred_gather(w.base, inputs, count,
		    flags & (EVDEFERRED_LIST_CONSUME_ERRORS |
				EVDEFERRED_LIST_CANCEL_ON_ERROR));
	else
		d = evdeferred_race(w.base, inputs, count);
	if (d != NULL) {
		put_with(d, got_results, link);
		return;
	}
	MUST(errno == ENOMEM);
	for (i = 0; i < count; i++)
		if (i == 0 || inputs[i] != inputs[0])
			free_deferred(inputs[i]);
}

static struct evrwlock *
some_lock(unsigned n)
{
	struct evrwlock **lock = &w.locks[n % KINDS];

	if (*lock == NULL)
		*lock = evrwlock_new(w.base, n % KINDS);
	return *lock;
}

/* An owner or -1. */
static int
some_owner(void)
{
	int n = (int)(next() % (KINDS + 1)) - 1;

	if (n == -1)
		return -1;
	if (w.owners[n] == NULL) {
		w.owners[n] = evowner_new(w.base, n == 0 ? "first" : NULL);
		w.life[n]++;
	}
	return w.owners[n] == NULL ? -1 : n;
}

static void
call_acquire(void)
{
	const unsigned how = next();
	const enum what what = how % 2 ? WRITE : READ;
	struct evrwlock *lock = some_lock(how / 2);
	const int n = some_owner();
	struct link *link = new_link(what, n);
	struct evdeferred *d;

	if (lock == NULL)
		return;
	if (n == -1)
		d = what == READ ? evrwlock_reader_acquire(lock)
				 : evrwlock_writer_acquire(lock);
	else
		d = what == READ
			? evrwlock_acquire(lock, w.owners[n], EVRWLOCK_READ)
			: evrwlock_acquire(lock, w.owners[n], EVRWLOCK_WRITE);
	/* Sometimes nobody receives the grant. */
	if (how / 4 % 8 == 0)
		put(d, true);
	else
		put_with(d, granted, link);
}

static void
call_try(void)
{
	const unsigned how = next();
	const enum what what = how % 2 ? WRITE : READ;
	struct evrwlock *lock = some_lock(how / 2);
	const int n = some_owner();
	int rc;

	if (lock == NULL)
		return;
	if (n == -1)
		rc = what == READ ? evrwlock_reader_try(lock)
				  : evrwlock_writer_try(lock);
	else
		rc = what == READ
			 ? evrwlock_try(lock, w.owners[n], EVRWLOCK_READ)
			 : evrwlock_try(lock, w.owners[n], EVRWLOCK_WRITE);
	if (rc == 0)
		hold(what, lock, n);
}

static void
call_with(void)
{
	const unsigned how = next();
	const enum what what = how % 2 ? WRITE : READ;
	struct evrwlock *lock = some_lock(how / 2);
	const int n = some_owner();
	struct link *link = new_link(what, n);
	struct evdeferred *d;

	if (lock == NULL)
		return;
	link->on = lock;
	if (n == -1)
		d = what == READ ? evrwlock_with_reader(lock, body, link)
				 : evrwlock_with_writer(lock, body, link);
	else
		d = what == READ ? evrwlock_with(lock, w.owners[n],
				       EVRWLOCK_READ, NULL, body, link)
				 : evrwlock_with(lock, w.owners[n],
				       EVRWLOCK_WRITE, NULL, body, link);
	put_body(d, link);
}

static void
call_release(void)
{
	release_one(next());
}

/* What is being freed may be freed once more, by what its free calls. */
static void
free_lock(unsigned n)
{
	const bool again = w.lock_goes[n];

	w.lock_goes[n] = true;
	evrwlock_free(w.locks[n]);
	w.lock_goes[n] = again;
	if (!again)
		w.locks[n] = NULL;
}

static void
call_free_lock(void)
{
	free_lock(next() % KINDS);
}

/* What it holds is given back, with nothing to do for us. */
static void
free_owner(int n)
{
	struct evowner *owner = w.owners[n];
	size_t i;

	if (w.owner_goes[n])
		evowner_free(owner);
	if (owner == NULL || w.owner_goes[n])
		return;
	for (i = 0; i < w.tokens; i++)
		if (tokens[i].held && tokens[i].owner == n)
			tokens[i].held = false;
	w.owner_goes[n] = true;
	evowner_free(owner);
	w.owner_goes[n] = false;
	w.owners[n] = NULL;
	w.life[n]++;
}

static void
call_free_owner(void)
{
	free_owner((int)(next() % KINDS));
}

static void
call_semaphore(void)
{
	const unsigned how = next();
	struct evsemaphore **semaphore = &w.semaphores[how % KINDS];
	struct link *link = new_link(SEMAPHORE, -1);

	if (*semaphore == NULL)
		*semaphore = evsemaphore_new(w.base, 2, how % KINDS);
	if (*semaphore == NULL)
		return;
	switch (how / 2 % 4) {
	case 0:
		put_with(evsemaphore_acquire(*semaphore, NULL), granted, link);
		break;
	case 1:
		put(evsemaphore_acquire(*semaphore, NULL), true);
		break;
	case 2:
		if (evsemaphore_try(*semaphore, NULL) == 0)
			hold(SEMAPHORE, *semaphore, -1);
		break;
	case 3:
		link->what = VALUE;
		put_body(
		    evsemaphore_with(*semaphore, NULL, NULL, body, link), link);
		break;
	}
}

static void
call_mutex(void)
{
	const unsigned how = next();
	struct evmutex **mutex = &w.mutexes[how % KINDS];
	struct link *link = new_link(MUTEX, -1);

	if (*mutex == NULL)
		*mutex = evmutex_new(w.base, how % KINDS);
	if (*mutex == NULL)
		return;
	switch (how / 2 % 4) {
	case 0:
		put_with(evmutex_acquire(*mutex, NULL), granted, link);
		break;
	case 1:
		put(evmutex_acquire(*mutex, NULL), true);
		break;
	case 2:
		if (evmutex_try(*mutex, NULL) == 0)
			hold(MUTEX, *mutex, -1);
		break;
	case 3:
		link->what = VALUE;
		put_body(evmutex_with(*mutex, NULL, NULL, body, link), link);
		break;
	}
}

static void
put_get(struct evdeferred *d)
{
	struct slot *slot = put(d, false);

	if (slot != NULL)
		slot->get = true;
}

static void
call_queue(void)
{
	const unsigned how = next();
	struct evqueue **queue = &w.queues[how % KINDS];
	struct evresult object;

	if (*queue == NULL)
		*queue = evqueue_new(w.base, how / 2 % 3, 3, how % KINDS);
	if (*queue == NULL)
		return;
	if (how / 8 % 2) {
		put_get(evqueue_get(*queue));
		return;
	}
	object = some_result(NULL);
	/* Where the queue went meanwhile, nobody has it. */
	if (*queue == NULL || evqueue_put(*queue, object) == -1)
		evresult_dispose(object);
}

static void
free_semaphore(unsigned n)
{
	const bool again = w.semaphore_goes[n];

	w.semaphore_goes[n] = true;
	evsemaphore_free(w.semaphores[n]);
	w.semaphore_goes[n] = again;
	if (!again)
		w.semaphores[n] = NULL;
}

static void
free_mutex(unsigned n)
{
	const bool again = w.mutex_goes[n];

	w.mutex_goes[n] = true;
	evmutex_free(w.mutexes[n]);
	w.mutex_goes[n] = again;
	if (!again)
		w.mutexes[n] = NULL;
}

static void
free_queue(unsigned n)
{
	const bool again = w.queue_goes[n];

	w.queue_goes[n] = true;
	evqueue_free(w.queues[n]);
	w.queue_goes[n] = again;
	if (!again)
		w.queues[n] = NULL;
}

static void
call_free_other(void)
{
	static void (*const frees[])(unsigned n) = {
	    free_semaphore, free_mutex, free_queue};
	const unsigned how = next();

	frees[how / 2 % 3](how % KINDS);
}

/*
 * Calls that concern what is at work.
 */

static struct slot *
slot_at_work(void)
{
	size_t i;

	for (i = 0; w.at != NULL && i < SLOTS; i++)
		if (w.slots[i].d == w.at)
			return &w.slots[i];
	return NULL;
}

static void
call_free_own(void)
{
	struct slot *slot = slot_at_work();

	if (slot != NULL)
		free_deferred(take(slot));
}

static void
call_cancel_own(void)
{
	struct slot *slot = slot_at_work();

	if (slot != NULL)
		evdeferred_cancel(slot->d);
}

static void
call_detach_own(void)
{
	struct slot *slot = slot_at_work();

	if (slot != NULL && w.detaches)
		evdeferred_detach(take(slot));
}

static void
call_free_again(void)
{
	if (w.gone > 0)
		evdeferred_free(w.going[next() % (unsigned)w.gone]);
	evresults_free(w.results);
}

static void
link_goes(void *arg)
{
	const struct link *link = arg;

	calls_of(link->d, next() % 2);
}

static void
call_add_owned(void)
{
	struct slot *slot = some_slot();
	struct link *link;

	if (slot == NULL || slot->raw)
		return;
	link = new_link(VALUE, -1);
	link->d = slot->d;
	slot->leaf = false;
	if (next() % 2)
		evdeferred_add_both_owned(slot->d, either, link, link_goes);
	else
		evdeferred_add_callbacks_owned(
		    slot->d, received, failed, link, link_goes);
}

static void
call_timeout_both(void)
{
	const struct timeval timeout = {next() % 4, 0};
	struct slot *slot = some_slot();
	struct link *link;

	if (slot == NULL || slot->raw)
		return;
	link = new_link(VALUE, -1);
	link->d = slot->d;
	slot->leaf = false;
	evdeferred_add_timeout_both(slot->d, &timeout, either, link);
}

static void
call_cancel_going(void)
{
	if (w.gone > 0)
		evdeferred_cancel(w.going[next() % (unsigned)w.gone]);
}

/* The program goes on with what is left. */
static void
call_free_base(void)
{
	/* Mostly not, which would be the end of most programs. */
	if (next() % 4 != 0)
		return;
	w.base_goes = true;
	evdefer_base_free(w.base);
}

/* Some turns of the loop, which does not take being entered twice. */
static void
call_loop(void)
{
	unsigned turns = next() % 4 + 1;

	if (w.depth > 1)
		return;
	while (turns-- > 0)
		event_base_loop(w.loop, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

/* It is put back at the end: each program begins at the same time. */
static void
advance(long ms)
{
	clock_advance(ms);
	w.ms += ms;
}

static void
call_clock(void)
{
	advance(500);
	call_loop();
}

/* One allocation that is to come fails. */
static void
call_fail(void)
{
	alloc_fail_at(next() % 8 + 1, false);
}

#define CALL(name)                                                             \
	{                                                                      \
#name, call_##name                                             \
	}
struct call {
	const char *name;
	void (*run)(void);
};

/* The order is that of the corpus. */
static const struct call table[] = {
    CALL(new),
    CALL(fire),
    CALL(fired),
    CALL(add),
    CALL(free),
    CALL(detach_or_chain),
    CALL(pause),
    CALL(unpause),
    CALL(cancel),
    CALL(timeout),
    CALL(later),
    CALL(maybe),
    CALL(coroutine),
    CALL(describe),
    CALL(combine),
    CALL(acquire),
    CALL(try),
    CALL(with),
    CALL(release),
    CALL(free_lock),
    CALL(free_owner),
    CALL(semaphore),
    CALL(mutex),
    CALL(queue),
    CALL(free_other),
    CALL(loop),
    CALL(clock),
    CALL(fail),
};

/* For the bytes from FIRST_EXTRA on.  New ones go to the end. */
static const struct call extra[] = {
    CALL(free_own),
    CALL(cancel_own),
    CALL(detach_own),
    CALL(free_again),
    CALL(cancel_going),
    CALL(free_base),
    CALL(add_owned),
    CALL(timeout_both),
};

#define COUNT(array) (sizeof(array) / sizeof(*(array)))
#define FIRST_EXTRA 224
_Static_assert(FIRST_EXTRA % COUNT(table) == 0, "each has as many bytes");

static const struct call *
some_call(void)
{
	const unsigned byte = next();

	if (byte < FIRST_EXTRA)
		return &table[byte % COUNT(table)];
	return &extra[(byte - FIRST_EXTRA) % COUNT(extra)];
}

static void
check_stats(void)
{
	struct evrwlock_stats stats;
	int i;

	for (i = 0; i < KINDS; i++) {
		/* All that wait are about to fail. */
		if (w.lock_goes[i])
			continue;
		evrwlock_get_stats(w.locks[i], &stats);
		MUST(stats.readers_inside + stats.writers_inside > 0 ||
		     stats.readers_waiting + stats.writers_waiting == 0);
	}
}

static void
calls(unsigned count)
{
	const struct call *call;

	w.depth++;
	while (count-- > 0 && w.left > 0 && !w.ending) {
		call = some_call();
		if (w.shows)
			fprintf(stderr, "%*s%s(%u, %u)\n", w.depth, "",
			    call->name, w.left > 0 ? w.data[0] : 0u,
			    w.left > 1 ? w.data[1] : 0u);
		call->run();
		check_stats();
	}
	w.depth--;
}

/* From inside a function of that Deferred. */
static void
calls_of(struct evdeferred *d, unsigned count)
{
	struct evdeferred *outer = w.at;

	w.at = d;
	calls(count);
	w.at = outer;
}

/*
 * Beginning and end.
 */

static void
let_go_of_all(void)
{
	struct evdeferred *d;
	size_t i;
	int n;

	for (n = 0; n < SLOTS; n++)
		while (w.slots[n].d != NULL)
			free_deferred(take(&w.slots[n]));
	for (n = 0; n < SLOTS; n++) {
		d = w.producers[n];
		w.producers[n] = NULL;
		if (d != NULL)
			MUST(evdeferred_callback(d, NULL) == 0);
	}
	for (i = 0; i < w.tokens; i++)
		if (!tokens[i].out)
			release(&tokens[i]);
}

static void
close_all(void)
{
	unsigned n;

	for (n = 0; n < KINDS; n++) {
		free_owner((int)n);
		free_lock(n);
		free_semaphore(n);
		free_mutex(n);
		free_queue(n);
	}
}

static void
keep(struct evdeferred *d, void *arg)
{
	(void)d;
	(void)arg;
}

static void
end(bool base_first)
{
	int i;

	alloc_fail_at(0, false);
	w.ending = true;
	/* An evdeferred_later() that nobody can free any more would be lost with
	 * the base. */
	advance(10000);
	for (i = 0; i < 4; i++)
		event_base_loop(w.loop, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	if (base_first && !w.base_goes)
		evdefer_base_free(w.base);
	let_go_of_all();
	close_all();
	if (!base_first && !w.base_goes)
		evdefer_base_free(w.base);
	let_go_of_all();
	evdeferred_free(w.keeper);
	event_base_free(w.loop);
	clock_advance(-w.ms);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const long before = alloc_live();
	unsigned how;
	size_t i;

	memset(&w, 0, sizeof(w));
	w.data = data;
	w.left = size > MAX_SIZE ? MAX_SIZE : size;
	w.shows = getenv("FUZZ_SHOW") != NULL;
	how = next();
	w.detaches = how % 2;
	w.of_leaves = how / 16 % 2;
	w.loop = event_base_new();
	w.base = evdefer_base_new(w.loop);
	MUST(w.base != NULL);
	evdefer_base_set_unhandled(w.base, unhandled, NULL);
	if (how / 2 % 4 == 0)
		MUST(evdefer_base_set_debug(w.base, true) == 0 ||
		     errno == ENOTSUP);
	w.keeper = evdeferred_new(w.base, keep, NULL);
	MUST(w.keeper != NULL);
	calls(MAX_SIZE);
	end(!w.detaches && how / 8 % 2);
	for (i = 0; i < w.tokens; i++)
		MUST(!tokens[i].out && !tokens[i].held);
	if (alloc_works())
		MUST(alloc_live() == before);
	return 0;
}
