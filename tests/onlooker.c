/* SPDX-License-Identifier: MIT */
#include "onlooker.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct onlooker_counts onlooker_counts;

enum state { NOTHING, ASKED, GRANTED, OVER };

/* A Deferred, or a lock and how many are inside. */
struct seen_thing {
	const void *address;
	size_t inside;
	enum state state;
	bool fired;
	bool lost; /* its grant was on its way */
};

/* Not from malloc(), whose calls tests count. */
#define SIZE ((size_t)1 << 18)
static struct seen_thing things[SIZE];
static struct seen_thing attempt; /* the Deferred of a try */

#define must(what)                                                             \
	do {                                                                   \
		if (!(what)) {                                                 \
			fprintf(stderr, "%s: not so: %s\n", __func__, #what);  \
			abort();                                               \
		}                                                              \
	} while (0)

static size_t
place_of(const void *address)
{
	const uint64_t key = (uint64_t)(uintptr_t)address;

	return (size_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> 20) % SIZE;
}

static struct seen_thing *
find(const void *address)
{
	size_t i = place_of(address);

	while (things[i].address != NULL && things[i].address != address)
		i = (i + 1) % SIZE;
	return &things[i];
}

/* Moves those behind it to where they are found. */
static void
forget(struct seen_thing *thing)
{
	size_t hole = (size_t)(thing - things), i = hole, place;

	for (;;) {
		i = (i + 1) % SIZE;
		if (things[i].address == NULL)
			break;
		place = place_of(things[i].address);
		if ((i - place) % SIZE < (i - hole) % SIZE)
			continue;
		things[hole] = things[i];
		hole = i;
	}
	things[hole] = (struct seen_thing){0};
}

static struct seen_thing *
of(const struct evobserver_event *event)
{
	struct seen_thing *thing = &attempt;

	must(event->lock != NULL);
	must((event->owner == NULL) == (event->owner_name == NULL));
	if (event->deferred != NULL) {
		thing = find(event->deferred);
		must(thing->address == event->deferred);
		/* A try is told of in one go. */
		must(attempt.state == NOTHING);
	}
	return thing;
}

static void
move(struct seen_thing *thing, enum state from, enum state to)
{
	must(thing->state == from);
	thing->state = to;
}

/* The lock counts who is inside. */
static void
change_inside(const struct evobserver_event *event, bool more)
{
	struct seen_thing *lock = find(event->lock);

	if (event->kind == EVOBSERVER_QUEUE)
		return;
	lock->address = event->lock;
	must(more || lock->inside > 0);
	lock->inside += more ? 1 : (size_t)-1;
	onlooker_counts.inside += more ? 1 : (size_t)-1;
	if (lock->inside == 0)
		forget(lock);
}

static void
acquire(const struct evobserver_event *event, void *arg)
{
	struct seen_thing *thing = of(event);

	(void)arg;
	must(event->error == 0);
	must(!event->waits || event->deferred != NULL);
	if (thing->lost)
		move(thing, OVER, ASKED);
	else
		move(thing, NOTHING, ASKED);
	thing->lost = false;
	onlooker_counts.acquires++;
	onlooker_counts.waiting++;
}

static void
grant(const struct evobserver_event *event, void *arg)
{
	(void)arg;
	must(event->error == 0);
	move(of(event), ASKED, GRANTED);
	onlooker_counts.grants++;
	change_inside(event, true);
}

static void
deliver(const struct evobserver_event *event, void *arg)
{
	struct seen_thing *thing = of(event);

	(void)arg;
	must(event->error == 0);
	must(!thing->fired);
	move(thing, GRANTED, OVER);
	if (thing == &attempt)
		attempt.state = NOTHING;
	onlooker_counts.deliveries++;
	onlooker_counts.waiting--;
}

static void
release(const struct evobserver_event *event, void *arg)
{
	(void)arg;
	must(event->error == 0);
	must(event->deferred == NULL);
	must(event->kind != EVOBSERVER_QUEUE);
	change_inside(event, false);
	onlooker_counts.releases++;
}

static void
cancel(const struct evobserver_event *event, void *arg)
{
	struct seen_thing *thing = of(event);

	(void)arg;
	must(event->error != 0);
	must(thing->state == ASKED || thing->state == GRANTED);
	thing->lost = thing->state == GRANTED && event->error == ESTALE;
	if (thing->state == GRANTED)
		change_inside(event, false);
	/* Which may have moved it. */
	thing = of(event);
	thing->state = thing == &attempt ? NOTHING : OVER;
	onlooker_counts.cancels++;
	onlooker_counts.waiting--;
}

static void
made(const struct evdeferred *d, void *arg)
{
	struct seen_thing *thing = find(d);

	(void)arg;
	must(thing->address == NULL);
	*thing = (struct seen_thing){.address = d};
	onlooker_counts.made++;
	must(onlooker_counts.made - onlooker_counts.gone < SIZE / 2);
}

static void
fired(const struct evdeferred *d, int code, void *arg)
{
	struct seen_thing *thing = find(d);

	(void)arg;
	must(code >= 0);
	must(thing->address == d);
	must(!thing->fired);
	must(thing->state == NOTHING || thing->state == OVER);
	thing->fired = true;
	onlooker_counts.fired++;
}

static void
gone(const struct evdeferred *d, void *arg)
{
	struct seen_thing *thing = find(d);

	(void)arg;
	must(thing->address == d);
	must(thing->state == NOTHING || thing->state == OVER);
	forget(thing);
	onlooker_counts.gone++;
}

const struct evobserver onlooker = {
    acquire, grant, deliver, release, cancel, made, fired, gone};
