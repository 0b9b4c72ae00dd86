/* SPDX-License-Identifier: MIT */
/* A lock for what takes more than one callback: the last seat is sold once. */
#include <errno.h>
#include <stdio.h>

#include <event2/event.h>
#include <evdefer.h>

static const struct timeval bank_time = {0, 10000};
static struct event_base *loop;
static struct evdefer_base *base;
static struct evrwlock *lock;
static int free_seats = 1;

static void
bank_answers(evutil_socket_t fd, short what, void *answer)
{
	(void)fd;
	(void)what;
	evdeferred_callback(answer, NULL);
}

static struct evresult
paid(void *value, void *name)
{
	(void)value;
	free_seats--;
	printf("%s: booked, now %d free\n", (char *)name, free_seats);
	return evresult_value(NULL);
}

/* Runs with the lock held, which stays held until the result is there. */
static struct evresult
book_alone(void *name)
{
	struct evdeferred *answer;

	if (free_seats == 0)
		return evresult_fail(ENOENT, "sold out");
	printf("%s: %d free, asking the bank\n", (char *)name, free_seats);
	answer = evdeferred_new(base, NULL, NULL);
	if (answer != NULL)
		event_base_once(
		    loop, -1, EV_TIMEOUT, bank_answers, answer, &bank_time);
	evdeferred_add_callback(answer, paid, name);
	return evresult_deferred(answer);
}

static struct evresult
explain(struct evfailure *failure, void *name)
{
	printf("%s: %s\n", (char *)name, evfailure_get_message(failure));
	return evresult_value(NULL);
}

static void
book(char *name)
{
	struct evdeferred *d = evrwlock_with_writer(lock, book_alone, name);

	evdeferred_add_errback(d, explain, name);
	evdeferred_detach(d);
}

int
main(void)
{
	loop = event_base_new();
	base = evdefer_base_new(loop);
	lock = evrwlock_new(base, 0);
	if (lock == NULL)
		return 1;
	book("Ann");
	book("Bob");
	event_base_dispatch(loop);
	evrwlock_free(lock);
	evdefer_base_free(base);
	event_base_free(loop);
	return 0;
}
