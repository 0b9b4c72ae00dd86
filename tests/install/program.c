/* SPDX-License-Identifier: MIT */
/*
 * A program of a user's, C and C++ alike, built against the installed library:
 * a reader is inside, a writer waits, another reader queues behind that; the
 * writer is given up, so that the second reader enters.
 */
#include <errno.h>
#include <stdio.h>

#include <event2/event.h>
#include <evdefer.h>

static int entered;

static struct evresult
enter(void *lock, void *arg)
{
	(void)lock;
	(void)arg;
	entered++;
	return evresult_value(NULL);
}

static struct evdeferred *
then_enter(struct evdeferred *d)
{
	if (evdeferred_add_callback(d, enter, NULL) == -1)
		perror("evdeferred_add_callback");
	return d;
}

static int
run(struct event_base *loop, struct evrwlock *lock)
{
	struct evdeferred *first, *second, *writer;

	if (evrwlock_reader_release(lock) != -1 || errno != EPERM)
		return 1;
	first = then_enter(evrwlock_reader_acquire(lock));
	event_base_dispatch(loop);
	writer = evrwlock_writer_acquire(lock);
	second = then_enter(evrwlock_reader_acquire(lock));
	event_base_dispatch(loop);
	if (entered != 1)
		return 2;
	evdeferred_free(writer);
	event_base_dispatch(loop);
	if (entered != 2)
		return 3;
	evdeferred_free(first);
	evdeferred_free(second);
	if (evrwlock_reader_release(lock) != 0 ||
	    evrwlock_reader_release(lock) != 0)
		return 4;
	return evrwlock_is_reading(lock) ? 5 : 0;
}

int
main(void)
{
	struct event_base *loop = event_base_new();
	struct evdefer_base *base = evdefer_base_new(loop);
	struct evrwlock *lock = evrwlock_new(base, 0);
	int status = lock != NULL ? run(loop, lock) : 6;

	evrwlock_free(lock);
	evdefer_base_free(base);
	event_base_free(loop);
	if (status != 0)
		fprintf(stderr, "failed at step %d\n", status);
	return status;
}
