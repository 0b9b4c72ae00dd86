/* SPDX-License-Identifier: MIT */
/* Three are asked at once: all their answers, or the first. */
#include <stdio.h>

#include <event2/event.h>
#include <evdefer.h>

static char *names[] = {"slow", "quick", "steady"};
static const struct timeval delays[] = {{0, 30000}, {0, 1000}, {0, 15000}};

static struct evresult
answer(void *arg)
{
	printf("%s answers\n", (char *)arg);
	return evresult_value(arg);
}

static struct evresult
show(void *value, void *arg)
{
	struct evresults *results = value;
	size_t i;

	printf("%s:", (char *)arg);
	for (i = 0; i < evresults_get_count(results); i++)
		printf(" %zu=%s", evresults_get_index(results, i),
		    (char *)evresult_get_value(evresults_get(results, i)));
	printf("\n");
	evresults_free(results);
	return evresult_value(NULL);
}

static void
ask_all(struct evdefer_base *base, struct evdeferred *sources[3])
{
	for (int i = 0; i < 3; i++)
		sources[i] =
		    evdeferred_later(base, &delays[i], answer, names[i]);
}

int
main(void)
{
	struct event_base *loop = event_base_new();
	struct evdefer_base *base = evdefer_base_new(loop);
	struct evdeferred *sources[3], *d;

	ask_all(base, sources);
	d = evdeferred_gather(base, sources, 3, 0);
	evdeferred_add_callback(d, show, "all");
	evdeferred_detach(d);
	event_base_dispatch(loop);

	ask_all(base, sources);
	d = evdeferred_race(base, sources, 3);
	evdeferred_add_callback(d, show, "first");
	evdeferred_detach(d);
	event_base_dispatch(loop);

	evdefer_base_free(base);
	event_base_free(loop);
	return 0;
}
