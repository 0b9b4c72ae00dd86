/* SPDX-License-Identifier: MIT */
/* A transfer in two steps, with a turn of the event loop between them. */
#include <stdio.h>

#include <event2/event.h>
#include <evdefer.h>

static struct event_base *loop;
static struct evdefer_base *base;
static int savings = 100, checking = 0;
static char before[] = "reader before", after[] = "reader after";

static void
print(const char *who)
{
	printf("%-16s %3d + %2d = %d\n", who, savings, checking,
	    savings + checking);
}

static struct evresult
report(void *who)
{
	print((const char *)who);
	return evresult_value(NULL);
}

static void
second_step(evutil_socket_t fd, short what, void *transferred)
{
	(void)fd, (void)what;
	print("without the lock"); /* other clients would be served here */
	checking += 40;
	evdeferred_callback((struct evdeferred *)transferred, NULL);
}

static struct evresult
transfer(void *arg)
{
	struct evdeferred *transferred = evdeferred_new(base, NULL, NULL);

	(void)arg;
	savings -= 40;
	event_base_once(loop, -1, EV_TIMEOUT, second_step, transferred, NULL);
	return evresult_deferred(transferred); /* the lock is held until then */
}

int
main(void)
{
	struct evrwlock *lock;

	loop = event_base_new();
	base = evdefer_base_new(loop);
	lock = evrwlock_new(base, 0);
	if (lock == NULL)
		return 1;
	evdeferred_detach(evrwlock_with_reader(lock, report, before));
	evdeferred_detach(evrwlock_with_writer(lock, transfer, NULL));
	evdeferred_detach(evrwlock_with_reader(lock, report, after));
	event_base_dispatch(loop);

	evrwlock_free(lock);
	evdefer_base_free(base);
	event_base_free(loop);
	return 0;
}
