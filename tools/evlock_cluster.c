/* SPDX-License-Identifier: MIT */
/* evlock with locks of a cluster. */
#include "evlock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <event2/event.h>
#include <evdefer/cluster.h>

/* Which of the signals that end it by themselves has come while it waited. */
static volatile sig_atomic_t ended_by;

static const int ending[] = {SIGHUP, SIGINT, SIGTERM};
#define ENDING_COUNT (sizeof(ending) / sizeof(ending[0]))

/*
 * Credentials: not on the command line, which all can see.
 */

static bool
read_credentials(struct evcluster_options *options, char *copy, size_t size)
{
	const char *given = getenv("EVLOCK_AUTH");
	char *space;

	if (given == NULL)
		return true;
	if (strlen(given) >= size)
		return false;
	strcpy(copy, given);
	space = strchr(copy, ' ');
	if (space == NULL)
		return false;
	*space = '\0';
	options->auth_scheme = copy;
	options->auth_credentials = space + 1;
	options->creator_only = true;
	return true;
}

/* NULL, and it was said why. */
static struct evcluster *
new_cluster(struct run *run)
{
	char credentials[1024];
	struct evcluster_options options = {
	    .session_timeout_ms = run->options->session_ms,
	    .root = getenv("EVLOCK_ROOT")};
	struct evcluster *cluster;

	if (!read_credentials(&options, credentials, sizeof(credentials))) {
		fputs("evlock: EVLOCK_AUTH is not \"SCHEME CREDENTIALS\"\n",
		    stderr);
		return NULL;
	}
	cluster = evcluster_new(run->base, run->options->servers, &options);
	if (cluster == NULL && errno == EINVAL)
		fprintf(stderr,
		    "evlock: %s: not HOST:PORT,HOST:PORT,..., or EVLOCK_ROOT "
		    "is no path\n",
		    run->options->servers);
	else if (cluster == NULL)
		complain("cannot start", errno);
	return cluster;
}

/*
 * Connecting and closing.
 */

/* That no server is there, it tells by itself only where it waits for ever. */
static struct evresult
on_refused(struct evfailure *failure, void *arg)
{
	struct run *run = arg;

	if (evfailure_get_code(failure) != ESHUTDOWN &&
	    evfailure_get_code(failure) != ECANCELED) {
		fprintf(stderr, "evlock: %s: %s\n", run->options->servers,
		    evfailure_get_message(failure));
		run->status = evfailure_get_code(failure) == ETIMEDOUT
				  ? STATUS_TIMED_OUT
				  : STATUS_FAILED;
		event_base_loopbreak(run->loop);
	}
	return evresult_value(NULL);
}

static bool
connect_cluster(
    struct run *run, struct evcluster *cluster, evdeferred_callback_fn fn)
{
	struct evdeferred *d = evcluster_connect(cluster);

	/* Of a command the whole wait is bounded. */
	if (d == NULL ||
	    (run->options->name == NULL && run->options->patience != NULL &&
		evdeferred_add_timeout(d, run->options->patience) == -1) ||
	    evdeferred_add_callbacks(d, fn, on_refused, run) == -1) {
		complain("cannot connect", errno);
		evdeferred_free(d);
		return false;
	}
	evdeferred_detach(d);
	return true;
}

static struct evresult
on_closed(struct evresult result, void *arg)
{
	event_base_loopbreak(arg);
	return result;
}

/* Gives back the place in the line as well. */
static void
close_cluster(struct run *run, struct evcluster *cluster)
{
	struct evdeferred *d = evcluster_close(cluster);

	if (d != NULL && !evdeferred_has_fired(d) &&
	    evdeferred_add_both(d, on_closed, run->loop) == 0)
		event_base_dispatch(run->loop);
	evdeferred_free(d);
	evcluster_free(cluster);
}

/*
 * Running a command.
 */

/* It ends as it would have, but gives back its place in the line before. */
static void
on_signal(evutil_socket_t number, short what, void *arg)
{
	(void)what;
	ended_by = (sig_atomic_t)number;
	event_base_loopbreak(arg);
}

static void
watch_signals(struct run *run, struct event **events)
{
	struct sigaction before;
	size_t i;

	for (i = 0; i < ENDING_COUNT; i++) {
		events[i] = NULL;
		if (sigaction(ending[i], NULL, &before) == -1 ||
		    before.sa_handler == SIG_IGN)
			continue;
		events[i] =
		    evsignal_new(run->loop, ending[i], on_signal, run->loop);
		if (events[i] != NULL)
			event_add(events[i], NULL);
	}
}

static void
ignore_signals(struct event **events)
{
	size_t i;

	for (i = 0; i < ENDING_COUNT; i++) {
		if (events[i] != NULL)
			event_free(events[i]);
	}
}

void
run_in_cluster(struct run *run)
{
	struct evcluster *cluster = new_cluster(run);
	struct event *signals[ENDING_COUNT];
	struct evrwlock *lock;

	if (cluster == NULL)
		return;
	lock = evrwlock_new_in_cluster(cluster, run->options->name, 0);
	if (lock == NULL && errno == EINVAL) {
		fprintf(stderr,
		    "evlock: %s: no name of a lock, which has 1 to 200 bytes "
		    "and no slash\n",
		    run->options->name);
	} else if (lock == NULL) {
		complain("cannot start", errno);
	} else if (connect_cluster(run, cluster, NULL)) {
		watch_signals(run, signals);
		run_with(run, lock);
		ignore_signals(signals);
	}
	evrwlock_free(lock);
	close_cluster(run, cluster);
	if (ended_by != 0)
		raise(ended_by);
}

/*
 * Listing.
 */

static void
print_entry(const struct evcluster_entry *entry)
{
	const int64_t now = (int64_t)time(NULL) * 1000;
	const int64_t ago = now > entry->since_ms ? now - entry->since_ms : 0;

	printf("%-24s %-7s %-7s %6" PRId64 " s  %s\n", entry->lock,
	    entry->holding ? "holds" : "waits",
	    entry->writer ? "write" : "read", ago / 1000, entry->who);
}

static struct evresult
on_listing(void *value, void *arg)
{
	struct evcluster_listing *listing = value;
	struct run *run = arg;
	size_t i;

	for (i = 0; i < listing->count; i++)
		print_entry(&listing->entries[i]);
	free(listing);
	run->status = fflush(stdout) == 0 ? 0 : STATUS_FAILED;
	event_base_loopbreak(run->loop);
	return evresult_value(NULL);
}

static struct evresult
start_listing(void *value, void *arg)
{
	struct run *run = arg;
	struct evdeferred *d = evcluster_list(run->cluster);

	(void)value;
	if (d != NULL &&
	    evdeferred_add_callbacks(d, on_listing, on_refused, run) == -1) {
		evdeferred_free(d);
		d = NULL;
	}
	return evresult_deferred(d);
}

void
list_cluster(struct run *run)
{
	struct evcluster *cluster = new_cluster(run);

	if (cluster == NULL)
		return;
	run->cluster = cluster;
	if (connect_cluster(run, cluster, start_listing))
		event_base_dispatch(run->loop);
	close_cluster(run, cluster);
}
