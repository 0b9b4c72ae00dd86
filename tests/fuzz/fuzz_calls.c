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
#include "calls.h"

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

void
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
void
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
