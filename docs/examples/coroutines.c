/* SPDX-License-Identifier: MIT */
/*
 * A reader method and a writer method as coroutines, with waits in a loop and a
 * cleanup that runs however they end.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <event2/event.h>
#include <evdefer.h>

static struct event_base *loop;
static struct evdefer_base *base;

static void
arrive(evutil_socket_t fd, short what, void *d)
{
	(void)fd;
	(void)what;
	evdeferred_callback(d, NULL);
}

/* It takes a while to get to a shelf. */
static struct evdeferred *
walk(void)
{
	static const struct timeval a_while = {0, 10000};
	struct evdeferred *d = evdeferred_new(base, NULL, NULL);

	if (d != NULL)
		event_base_once(loop, -1, EV_TIMEOUT, arrive, d, &a_while);
	return d;
}

#define SHELVES 2

struct store {
	struct evrwlock *lock;
	int shelves[SHELVES];
};

/* The state of one call of the reader method. */
struct count {
	struct evcoro co;
	struct store *store;
	const char *name;
	int *total;
	int shelf;
	bool reading;
};

static struct evresult
count(struct evcoro *co, void *arg)
{
	struct count *c = arg;
	int *total;

	EVCORO_BEGIN(co);
	EVCORO_AWAIT(co, evrwlock_reader_acquire(c->store->lock));
	c->reading = true;

	c->total = calloc(1, sizeof(*c->total));
	if (c->total == NULL)
		EVCORO_RETURN(evresult_fail(ENOMEM, NULL));
	for (c->shelf = 0; c->shelf < SHELVES; c->shelf++) {
		EVCORO_AWAIT(co, walk());
		*c->total += c->store->shelves[c->shelf];
		printf("%s: %d so far\n", c->name, *c->total);
	}
	total = c->total;
	c->total = NULL; /* it is the caller's now */
	EVCORO_RETURN(evresult_owned(total, free));

	EVCORO_FINALLY(co);
	free(c->total);
	if (c->reading)
		evrwlock_reader_release(c->store->lock);
	EVCORO_END(co);
}

/* The reader method.  Its result is an int, which the caller owns. */
static struct evdeferred *
store_count(struct store *store, const char *name)
{
	struct count *c = calloc(1, sizeof(*c));
	struct evdeferred *d;

	if (c == NULL)
		return NULL;
	c->store = store;
	c->name = name;
	d = evcoro_start(base, &c->co, count, c, free);
	if (d == NULL)
		free(c);
	return d;
}

static struct evresult
print(void *value, void *name)
{
	printf("%s: %d in all\n", (char *)name, *(int *)value);
	free(value);
	return evresult_value(NULL);
}

static void
print_count(struct store *store, char *name)
{
	struct evdeferred *d = store_count(store, name);

	evdeferred_add_callback(d, print, name);
	evdeferred_detach(d);
}

/* The state of one call of the writer method. */
struct move {
	struct evcoro co;
	struct store *store;
	int number;
	int in_hand;
	bool writing;
};

static struct evresult
move(struct evcoro *co, void *arg)
{
	struct move *m = arg;
	int *shelves = m->store->shelves;
	struct evfailure *failure;

	EVCORO_BEGIN(co);
	EVCORO_AWAIT(co, evrwlock_writer_acquire(m->store->lock));
	m->writing = true;

	if (shelves[0] < m->number)
		EVCORO_RETURN(evresult_fail(ENOENT, "too few"));
	shelves[0] -= m->number;
	m->in_hand = m->number;
	printf("took %d, shelves %d %d\n", m->number, shelves[0], shelves[1]);
	EVCORO_AWAIT(co, walk());
	shelves[1] += m->in_hand;
	m->in_hand = 0;
	printf("put %d, shelves %d %d\n", m->number, shelves[0], shelves[1]);

	EVCORO_FINALLY(co);
	failure = evcoro_failure(co);
	if (failure != NULL)
		printf("not moved: %s\n", evfailure_get_message(failure));
	shelves[0] += m->in_hand;
	if (m->writing)
		evrwlock_writer_release(m->store->lock);
	EVCORO_END(co);
}

/* The writer method. */
static struct evdeferred *
store_move(struct store *store, int number)
{
	struct move *m = calloc(1, sizeof(*m));
	struct evdeferred *d;

	if (m == NULL)
		return NULL;
	m->store = store;
	m->number = number;
	d = evcoro_start(base, &m->co, move, m, free);
	if (d == NULL)
		free(m);
	return d;
}

static struct evresult
ignore(struct evfailure *failure, void *arg)
{
	(void)failure;
	(void)arg;
	return evresult_value(NULL);
}

static void
give_up(evutil_socket_t fd, short what, void *d)
{
	(void)fd;
	(void)what;
	evdeferred_free(d);
}

static struct evresult
give_up_soon(void *value, void *d)
{
	static const struct timeval a_moment = {0, 1000};

	event_base_once(loop, -1, EV_TIMEOUT, give_up, d, &a_moment);
	return evresult_value(value);
}

/* The second move is given up half-way, and the third one is refused. */
static void
move_thrice(struct store *store)
{
	struct evdeferred *first = store_move(store, 3);
	struct evdeferred *second = store_move(store, 4);
	struct evdeferred *third = store_move(store, 100);

	evdeferred_add_callback(first, give_up_soon, second);
	evdeferred_add_errback(third, ignore, NULL);
	event_base_dispatch(loop);
	evdeferred_free(first);
	evdeferred_free(third);
}

int
main(void)
{
	struct store store = {.shelves = {7, 5}};

	loop = event_base_new();
	base = evdefer_base_new(loop);
	store.lock = evrwlock_new(base, 0);
	if (store.lock == NULL)
		return 1;
	print_count(&store, "Ann");
	print_count(&store, "Bob");
	event_base_dispatch(loop);
	move_thrice(&store);
	printf("shelves %d %d\n", store.shelves[0], store.shelves[1]);
	evrwlock_free(store.lock);
	evdefer_base_free(base);
	event_base_free(loop);
	return 0;
}
