/* SPDX-License-Identifier: MIT */
/* At most two requests under way at once. */
#include <stdio.h>

#include <event2/event.h>
#include <evdefer.h>

static struct event_base *loop;
static struct evdefer_base *base;
static int under_way, most;

static void
on_answer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	under_way--;
	evdeferred_callback(arg, NULL);
}

/* Runs when there is a slot, which is kept until the answer is there. */
static struct evresult
send_request(void *arg)
{
	static const struct timeval delay = {0, 20000};
	struct evdeferred *answer = evdeferred_new(base, NULL, NULL);

	printf("request %s\n", (char *)arg);
	if (++under_way > most)
		most = under_way;
	if (answer != NULL)
		event_base_once(
		    loop, -1, EV_TIMEOUT, on_answer, answer, &delay);
	return evresult_deferred(answer);
}

int
main(void)
{
	static char *names[] = {"a", "b", "c", "d", "e"};
	struct evsemaphore *slots;
	int i;

	loop = event_base_new();
	base = evdefer_base_new(loop);
	slots = evsemaphore_new(base, 2, 0);
	for (i = 0; slots != NULL && i < 5; i++)
		evdeferred_detach(evsemaphore_with(
		    slots, NULL, NULL, send_request, names[i]));
	event_base_dispatch(loop);
	printf("at most %d at once\n", most);
	evsemaphore_free(slots);
	evdefer_base_free(base);
	event_base_free(loop);
	return 0;
}
