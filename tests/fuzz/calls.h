/* SPDX-License-Identifier: MIT */
/* What the parts of fuzz_calls.c share. */
#ifndef TESTS_FUZZ_CALLS_H
#define TESTS_FUZZ_CALLS_H

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
#define TOKENS 2      /* of a semaphore */
#define THINGS 4096   /* tokens and arguments of one program */
#define MAX_SIZE 1024 /* bytes of a program that count */
#define GOING 16      /* Deferreds that are being freed at once */

/* Asserted also with NDEBUG. */
_Noreturn void broken(const char *file, int line, const char *condition);
#define MUST(condition)                                                        \
	do {                                                                   \
		if (!(condition))                                              \
			broken(__FILE__, __LINE__, #condition);                \
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

extern struct world {
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
extern struct token tokens[THINGS];
extern struct link links[THINGS];

/* calls_things.c: operands, values and holds, and the slots with Deferreds. */
unsigned next(void);
struct evowner *owner_of(int n);
enum evrwlock_mode mode_of(enum what what);
struct link *new_link(enum what what, int owner);
struct token *new_token(void);
void release(struct token *token);
struct evresult hand_out(struct token *token);
void check_alone(enum what what, const void *on, int owner);
struct token *hold(enum what what, void *on, int owner);
void release_one(unsigned which);
struct evdeferred *take(struct slot *slot);
void free_deferred(struct evdeferred *d);
struct slot *put(struct evdeferred *d, bool raw);
struct slot *some_slot(void);
struct slot *some_result_slot(void);
int code(void);
struct evresult some_result(const struct evdeferred *own);

/* calls_links.c: what runs in chains. */
struct evresult received(void *value, void *arg);
struct evresult failed(struct evfailure *failure, void *arg);
struct evresult either(struct evresult result, void *arg);
struct evresult granted(void *value, void *arg);
struct evresult got_results(void *value, void *arg);
struct evresult body(void *arg);
struct evresult coroutine(struct evcoro *co, void *arg);
void coroutine_over(void *arg);
struct evdeferred **forget(const struct evdeferred *d);
void canceller(struct evdeferred *d, void *arg);
void unhandled(const struct evfailure *failure, void *arg);

/* calls_deferred.c: put a Deferred that fires by itself into a slot. */
void put_with(
    struct evdeferred *d, evdeferred_callback_fn first, struct link *link);
void put_body(struct evdeferred *d, struct link *link);

/* calls_lock.c: free them, also once more by what their free calls. */
void free_lock(unsigned n);
void free_owner(int n);
void free_semaphore(unsigned n);
void free_mutex(unsigned n);
void free_queue(unsigned n);

/* fuzz_calls.c: so many of the next calls, or from inside a function of d. */
void calls(unsigned count);
void calls_of(struct evdeferred *d, unsigned count);

/* The calls that calls_deferred.c and calls_lock.c have. */
void call_new(void);
void call_fire(void);
void call_fired(void);
void call_add(void);
void call_free(void);
void call_detach_or_chain(void);
void call_pause(void);
void call_unpause(void);
void call_cancel(void);
void call_timeout(void);
void call_later(void);
void call_maybe(void);
void call_coroutine(void);
void call_describe(void);
void call_combine(void);
void call_acquire(void);
void call_try(void);
void call_with(void);
void call_release(void);
void call_free_lock(void);
void call_free_owner(void);
void call_semaphore(void);
void call_mutex(void);
void call_queue(void);
void call_free_other(void);
void call_free_own(void);
void call_cancel_own(void);
void call_detach_own(void);
void call_free_again(void);
void call_add_owned(void);
void call_timeout_both(void);
void call_cancel_going(void);

#endif
