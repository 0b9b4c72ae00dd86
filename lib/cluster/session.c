/* SPDX-License-Identifier: MIT */
/*
 * The session of a cluster with its servers.
 *
 * The servers keep what a session holds for as long as they hear of it, and its timeout T
 * longer.  It is the leader that counts: other servers answer what is only read without
 * it, and tell it at times who is there.  So a probe is a sync, which the leader answers.
 * After an answer the session lives until the probe was sent, plus T, at least.  Rights
 * are good for two thirds of that: that is the deadline.  After it they are lost for good,
 * also if the session turns out to have lived on.
 *
 * A server that does not answer is left for another one after T/3; the client library
 * alone would wait twice as long.
 *
 * One that is late with an answer to a lock is sent a probe before its time, too: servers
 * without the fix of ZOOKEEPER-4537 miss a request now and then, and see it when the next
 * one comes.
 */
#include "session-internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <event2/event.h>

#include <evdefer/base.h>

#include "listing-internal.h"
#include "resolve-internal.h"

/* For how long it tries to give back what it holds. */
#define LEAVE_MS 1000

/* From when on an answer is late. */
#define LATE_MS 100

int64_t
evsession_now_(void)
{
	struct timespec now;

#ifdef CLOCK_BOOTTIME
	clock_gettime(CLOCK_BOOTTIME, &now);
#else
	clock_gettime(CLOCK_MONOTONIC, &now);
#endif
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool
evsession_is_sure_(const struct evcluster *cluster)
{
	return cluster->deadline != 0 && evsession_now_() < cluster->deadline;
}

static bool
is_leaving(const struct evcluster *cluster)
{
	return cluster->aim == EVCLUSTER_LEAVE ||
	       cluster->aim == EVCLUSTER_RETURN;
}

/* The user may free or close the cluster in there. */
static void EVCLUSTER_PRINTF_(3, 4) set_state(struct evcluster *cluster,
    enum evcluster_state state, const char *format, ...)
{
	char sentence[EVCLUSTER_SENTENCE];
	va_list args;

	cluster->state = state;
	cluster->since = evsession_now_();
	if (cluster->freed || cluster->options.state_fn == NULL)
		return;
	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	cluster->options.state_fn(
	    cluster, state, sentence, cluster->options.state_arg);
}

/*
 * Time.
 */

static int64_t
sooner(int64_t time, int64_t other)
{
	return other < time ? other : time;
}

/* For an answer to a probe. */
static int64_t
patience(const struct evcluster *cluster)
{
	return cluster->timeout_ms / 3;
}

static int64_t
next_probe(const struct evcluster *cluster)
{
	const int64_t next = cluster->probed + cluster->timeout_ms / 6;
	const int64_t last =
	    cluster->heard > cluster->probed ? cluster->heard : cluster->probed;

	return cluster->due > 0 ? sooner(next, last + LATE_MS) : next;
}

/* When a probe is due, or the server has been waited for long enough. */
static int64_t
next_step(const struct evcluster *cluster)
{
	if (!cluster->probing)
		return next_probe(cluster);
	return cluster->dropped ? INT64_MAX
				: cluster->probed + patience(cluster);
}

/* When something may be due. */
static int64_t
next_look(const struct evcluster *cluster)
{
	int64_t next = evsession_now_() + cluster->timeout_ms / 6;

	if (cluster->aim == EVCLUSTER_OPEN && evsession_is_connected_(cluster))
		next = sooner(next, next_step(cluster));
	if (cluster->deadline != 0)
		next = sooner(next, cluster->deadline);
	if (is_leaving(cluster))
		next = sooner(next, cluster->leave_until);
	return next;
}

static void
set_timer(struct evcluster *cluster)
{
	const int64_t now = evsession_now_();
	int64_t wait;
	struct timeval delay;

	if (cluster->timer == NULL)
		return;
	if (cluster->aim == EVCLUSTER_REST) {
		event_del(cluster->timer);
		return;
	}
	wait = next_look(cluster) - now;
	if (wait < 0)
		wait = 0;
	delay.tv_sec = (time_t)(wait / 1000);
	delay.tv_usec = (suseconds_t)(wait % 1000 * 1000);
	event_add(cluster->timer, &delay);
}

void
evsession_look_soon_(struct evcluster *cluster)
{
	if (cluster->timer != NULL)
		event_active(cluster->timer, EV_TIMEOUT, 1);
}

/* All rights are lost, if there are any. */
static void
lose_rights(struct evcluster *cluster)
{
	cluster->deadline = 0;
	cluster->handler->lose(cluster);
}

static void
lose_late_rights(struct evcluster *cluster)
{
	if (cluster->deadline != 0 && !evsession_is_sure_(cluster))
		lose_rights(cluster);
}

static void
take_answer(struct evcluster *cluster, int64_t sent)
{
	const bool sure = cluster->deadline != 0;

	cluster->deadline = sent + cluster->timeout_ms * 2 / 3;
	set_timer(cluster);
	/* What they have got waits for that. */
	if (!sure)
		cluster->handler->look_again(cluster);
}

static void
probe_answered(
    struct evwire_request *request, const struct evwire_answer *answer)
{
	struct evcluster *cluster =
	    EVLIST_ELEMENT(request, struct evcluster, probe);

	cluster->probing = false;
	if (answer->error != EVWIRE_OK)
		return;
	evcluster_use_(cluster);
	lose_late_rights(cluster);
	if (cluster->wire != NULL && !cluster->probing)
		take_answer(cluster, cluster->probed);
	evcluster_unuse_(cluster);
}

static void
send_probe(struct evcluster *cluster)
{
	if (cluster->probing)
		return;
	cluster->probed = evsession_now_();
	cluster->probing =
	    cluster->wire->type->sync(cluster->wire, &cluster->probe) == 0;
}

void
evsession_request_sent_(struct evcluster *cluster)
{
	if (cluster->due++ > 0)
		return;
	cluster->heard = evsession_now_();
	set_timer(cluster);
}

void
evsession_request_answered_(struct evcluster *cluster)
{
	cluster->due--;
	cluster->heard = evsession_now_();
}

/*
 * What the wire tells.
 */

static void
connected(void *arg, const char *server, uint64_t session, int timeout_ms)
{
	struct evcluster *cluster = arg;
	const bool is_new = cluster->session != session;

	evcluster_use_(cluster);
	cluster->session = session;
	cluster->timeout_ms = timeout_ms;
	cluster->dropped = false;
	cluster->state = EVCLUSTER_CONNECTED;
	snprintf(cluster->server, sizeof(cluster->server), "%s", server);
	send_probe(cluster);
	cluster->handler->look_again(cluster);
	set_state(cluster, EVCLUSTER_CONNECTED,
	    "%s has %s session 0x%llx, with a timeout of %d ms", server,
	    is_new ? "a new" : "our", (unsigned long long)session, timeout_ms);
	if (cluster->state == EVCLUSTER_CONNECTED)
		evcluster_tell_connects_(cluster, 0, NULL);
	evsession_go_on_(cluster);
	evcluster_unuse_(cluster);
}

static void
suspended(void *arg, const char *why)
{
	struct evcluster *cluster = arg;

	if (cluster->state == EVCLUSTER_CONNECTING) {
		cluster->since = evsession_now_();
		return;
	}
	evcluster_use_(cluster);
	set_state(cluster, EVCLUSTER_SUSPENDED,
	    "%s is not there any more (%s); looking for another one",
	    cluster->server, why);
	evcluster_unuse_(cluster);
}

/* What the session had is gone. */
static void
end_session(struct evcluster *cluster)
{
	struct evwire *wire = cluster->wire;

	cluster->wire = NULL;
	cluster->session = 0;
	cluster->probing = false;
	cluster->due = 0;
	if (wire != NULL)
		wire->type->close(wire);
	cluster->handler->forget(cluster);
	lose_rights(cluster);
	evlistings_fail_(cluster);
}

static void
expired(void *arg)
{
	struct evcluster *cluster = arg;

	evcluster_use_(cluster);
	/* The loss is told when the state is right. */
	cluster->state = EVCLUSTER_EXPIRED;
	end_session(cluster);
	set_state(cluster, EVCLUSTER_EXPIRED,
	    "the servers have ended the session: what it held is lost");
	cluster->since = 0;
	evsession_go_on_(cluster);
	evcluster_unuse_(cluster);
}

static void
refused(void *arg)
{
	struct evcluster *cluster = arg;
	char sentence[EVCLUSTER_SENTENCE];

	snprintf(sentence, sizeof(sentence),
	    "%.200s: the servers do not accept the credentials (%.100s)",
	    cluster->servers,
	    cluster->options.auth_scheme != NULL ? cluster->options.auth_scheme
						 : "none");
	evcluster_use_(cluster);
	cluster->aim = EVCLUSTER_REST;
	cluster->state = EVCLUSTER_CLOSED;
	end_session(cluster);
	cluster->handler->fail(cluster, EACCES, sentence);
	set_state(cluster, EVCLUSTER_CLOSED, "%s", sentence);
	evcluster_tell_connects_(cluster, EACCES, sentence);
	evsession_go_on_(cluster);
	evcluster_unuse_(cluster);
}

static void
changed(void *arg, const char *path)
{
	struct evcluster *cluster = arg;

	cluster->handler->changed(cluster, path);
}

static const struct evwire_handler wire_handler = {
    connected, suspended, expired, refused, changed};

/*
 * Connecting.
 */

static void
free_resolver(struct evcluster *cluster)
{
	if (cluster->resolver != NULL)
		evresolver_free_(cluster->resolver);
	cluster->resolver = NULL;
}

/* Whoever waits to be connected hears of it, and decides; otherwise it is tried again in
 * a while. */
static void
fail_to_open(struct evcluster *cluster, int error, const char *sentence)
{
	cluster->since = evsession_now_();
	if (evlist_empty_(&cluster->connects))
		return;
	cluster->aim = EVCLUSTER_REST;
	set_state(cluster, EVCLUSTER_CLOSED, "%s", sentence);
	evcluster_tell_connects_(cluster, error, sentence);
}

static int
open_wire(struct evcluster *cluster, const char *addresses)
{
	const struct evcluster_options *options = &cluster->options;
	const struct evwire_setting setting = {.base = cluster->base,
	    .servers = addresses,
	    .timeout_ms = options->session_timeout_ms,
	    .creator_only = options->creator_only,
	    .handler = &wire_handler,
	    .arg = cluster};
	struct evwire *wire = cluster->open_wire(&setting);

	if (wire == NULL)
		return -1;
	cluster->wire = wire;
	cluster->since = evsession_now_();
	if (options->auth_scheme == NULL ||
	    wire->type->authenticate(
		wire, options->auth_scheme, options->auth_credentials) == 0)
		return 0;
	cluster->wire = NULL;
	wire->type->close(wire);
	return -1;
}

static void
resolved(void *arg, const char *addresses, int error, const char *sentence)
{
	struct evcluster *cluster = arg;
	struct evresolver *resolver = cluster->resolver;

	evcluster_use_(cluster);
	cluster->resolver = NULL;
	if (addresses == NULL)
		fail_to_open(cluster, error, sentence);
	else if (open_wire(cluster, addresses) == -1)
		fail_to_open(cluster, errno, strerror(errno));
	evresolver_free_(resolver);
	evsession_go_on_(cluster);
	evcluster_unuse_(cluster);
}

static void
begin(struct evcluster *cluster)
{
	if (cluster->state != EVCLUSTER_CONNECTING) {
		cluster->timeout_ms = cluster->options.session_timeout_ms;
		set_state(cluster, EVCLUSTER_CONNECTING,
		    "looking for a server among %.300s", cluster->servers);
		if (cluster->aim != EVCLUSTER_OPEN ||
		    cluster->resolver != NULL || cluster->wire != NULL)
			return;
	}
	cluster->resolver = evresolver_new_(
	    evdefer_base_get_event_base(cluster->base), cluster->servers);
	if (cluster->resolver != NULL &&
	    evresolver_start_(cluster->resolver, resolved, cluster) == 0)
		return;
	free_resolver(cluster);
	fail_to_open(cluster, ENOMEM, strerror(ENOMEM));
}

/* The client library goes from server to server by itself, but waits for long for one
 * that accepts, and is silent. */
static void
hurry(struct evcluster *cluster)
{
	const int64_t now = evsession_now_();
	struct evwire *wire = cluster->wire;

	if (cluster->state != EVCLUSTER_CONNECTED) {
		if (now - cluster->since < patience(cluster))
			return;
		cluster->since = now;
		wire->type->drop(wire, "no answer");
		return;
	}
	if (now >= next_probe(cluster))
		send_probe(cluster);
	if (!cluster->probing || cluster->dropped ||
	    now - cluster->probed < patience(cluster))
		return;
	cluster->dropped = true;
	wire->type->drop(wire, "no answer");
}

static void
stay_open(struct evcluster *cluster)
{
	if (cluster->wire != NULL)
		hurry(cluster);
	else if (cluster->resolver == NULL &&
		 (cluster->state != EVCLUSTER_CONNECTING ||
		     evsession_now_() - cluster->since >= patience(cluster)))
		begin(cluster);
}

/*
 * Leaving.
 */

static void
rest(struct evcluster *cluster)
{
	const bool again = cluster->aim == EVCLUSTER_RETURN;

	cluster->aim = again ? EVCLUSTER_OPEN : EVCLUSTER_REST;
	free_resolver(cluster);
	if (cluster->state != EVCLUSTER_CLOSED) {
		cluster->state = EVCLUSTER_CLOSED;
		end_session(cluster);
		set_state(cluster, EVCLUSTER_CLOSED, "closed");
	}
	evcluster_tell_closes_(cluster);
}

static void
leave(struct evcluster *cluster)
{
	if (cluster->leave_until == 0)
		cluster->leave_until = evsession_now_() + LEAVE_MS;
	if (cluster->session != 0 && cluster->handler->hold(cluster) &&
	    evsession_now_() < cluster->leave_until)
		return;
	cluster->leave_until = 0;
	rest(cluster);
}

void
evsession_go_on_(struct evcluster *cluster)
{
	evcluster_use_(cluster);
	if (is_leaving(cluster))
		leave(cluster);
	if (cluster->aim == EVCLUSTER_OPEN)
		stay_open(cluster);
	set_timer(cluster);
	evcluster_unuse_(cluster);
}

void
evsession_seat_left_(struct evcluster *cluster)
{
	if (is_leaving(cluster))
		evsession_look_soon_(cluster);
}

void
evsession_abandon_(struct evcluster *cluster)
{
	evcluster_use_(cluster);
	cluster->aim = EVCLUSTER_REST;
	cluster->state = EVCLUSTER_CLOSED;
	cluster->ended = true;
	free_resolver(cluster);
	if (cluster->timer != NULL)
		event_free(cluster->timer);
	cluster->timer = NULL;
	end_session(cluster);
	evcluster_tell_connects_(cluster, ESHUTDOWN, "the base was freed");
	evcluster_tell_closes_(cluster);
	evcluster_unuse_(cluster);
}

void
evsession_look_(int fd, short what, void *arg)
{
	struct evcluster *cluster = arg;

	(void)fd;
	(void)what;
	evcluster_use_(cluster);
	lose_late_rights(cluster);
	cluster->handler->try_again(cluster);
	evsession_go_on_(cluster);
	evcluster_unuse_(cluster);
}

void
evsession_init_(struct evcluster *cluster)
{
	cluster->probe.answered = probe_answered;
}
