/* SPDX-License-Identifier: MIT */
/*
 * The round trip of an eventfd between two loops of libevent, each in a thread: what
 * it takes at least to tell the other one something, and to hear from it.
 */
#include <event2/event.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "bench.h"
#include "threads.h"

static int fds[2];
static int places;

struct place {
	struct event_base *loop;
	int in, out;
	size_t left;
};

static void
tell(int fd)
{
	const uint64_t one = 1;

	bench_check(write(fd, &one, sizeof(one)) == sizeof(one));
}

static void
hear(evutil_socket_t fd, short what, void *arg)
{
	struct place *place = arg;
	uint64_t number;

	(void)what;
	bench_check(read(fd, &number, sizeof(number)) == sizeof(number));
	/* Who began hears last. */
	if (--place->left > 0 || place->in == fds[1])
		tell(place->out);
	if (place->left == 0)
		event_base_loopbreak(place->loop);
}

static void
tell_in_thread(size_t count)
{
	const int number = __atomic_fetch_add(&places, 1, __ATOMIC_SEQ_CST) % 2;
	struct place place = {
	    event_base_new(), fds[number], fds[1 - number], count};
	struct event *event =
	    event_new(place.loop, place.in, EV_READ | EV_PERSIST, hear, &place);

	event_add(event, NULL);
	bench_threads_begin();
	if (number == 0)
		tell(place.out);
	event_base_dispatch(place.loop);
	bench_threads_end();
	event_free(event);
	event_base_free(place.loop);
}

static uint64_t
round_trips(size_t count)
{
	return bench_threads(tell_in_thread, count);
}

static double
group_pass(size_t n)
{
	fds[0] = eventfd(0, EFD_NONBLOCK);
	fds[1] = eventfd(0, EFD_NONBLOCK);
	bench_check(fds[0] != -1 && fds[1] != -1);
	return bench_measure(round_trips, n);
}

int
main(int argc, char **argv)
{
	static const struct bench_work works[] = {
	    {"group-pass", group_pass},
	    {NULL, NULL},
	};

	return bench_main(argc, argv, works);
}
