/* SPDX-License-Identifier: MIT */
#include "driver.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <evdefer.h>

#include "../alloc.h"
#include "../clock.h"
#include "locks.h"
#include "log.h"
#include "site.h"

/* One acquire, from the call to its callback. */
struct request {
	int client;
	struct evdeferred *d;
	enum site site;
	int code; /* that it was told */
};

static struct {
	const struct setting *setting;
	const struct step *steps;
	size_t count;
	size_t taken;
	driver_arrived_fn arrived;
	void *arg;
	bool over;    /* all steps are taken */
	size_t sites; /* where the first one is told, as a number */
	struct model m;
	struct evdefer_base *bases[LOCKS]; /* one, or one for each lock */
	struct evgroup *group;
	const struct lock_kind *kind;
	void *locks[LOCKS];
	struct evowner *owners[PARTIES];
	struct request *clients[CLIENTS]; /* NULL: none, or it was called */
	struct request requests[LONGEST];
	size_t request_count;
	uint32_t reports;
	bool timed; /* a wait had a time limit */
	int turned; /* the loop of the lock has had a turn, and nothing came after;
		     * or none */
} run;

/* By base. */
static struct event_base *loops[LOCKS];

/* The allocations that fail in the calls. */
static struct {
	int how; /* see driver_fail_allocations() */
	bool armed;
	bool hit;	     /* one failed */
	struct model before; /* the call under way */
	uint64_t refusals;
	uint64_t without;
} failing;

static void
note_report(const struct evfailure *failure, void *arg)
{
	(void)arg;
	if (!site_report(failure))
		run.reports++;
}

static void
fail_for(int client, const char *wrong)
{
	char text[128];

	snprintf(text, sizeof(text), "client %d: %s", client, wrong);
	log_fail(text);
}

static int
base_count(void)
{
	return run.m.grouped ? run.m.lock_count : 1;
}

/* Where a lock is. */
static struct evdefer_base *
base_of(int lock)
{
	return run.bases[model_base_of(&run.m, lock)];
}

static struct event_base *
loop_of(int lock)
{
	return loops[model_base_of(&run.m, lock)];
}

/*
 * Comparing.
 */

static void
compare(const char *what, size_t is, size_t ought)
{
	char text[128];

	if (is == ought)
		return;
	snprintf(text, sizeof(text), "%s: %zu, and not %zu", what, is, ought);
	log_fail(text);
}

/* Some counts are not said to the last one. */
static void
compare_between(const char *what, uint64_t is, size_t least, size_t slack)
{
	if (is < least || is > least + slack)
		compare(what, (size_t)is, least);
}

static void
compare_waiting(const struct evrwlock_stats *stats, int lock)
{
	const struct totals *totals = &run.m.totals[lock];

	compare("readers_waiting", stats->readers_waiting,
	    (size_t)model_waiting(&run.m, lock, READ));
	compare("writers_waiting", stats->writers_waiting,
	    (size_t)(model_waiting(&run.m, lock, WRITE) +
		     model_waiting(&run.m, lock, UPGRADE)));
	compare("upgradables_waiting", stats->upgradables_waiting,
	    (size_t)model_waiting(&run.m, lock, UPGRADABLE));
	compare("upgrades_waiting", stats->upgrades_waiting,
	    (size_t)model_waiting(&run.m, lock, UPGRADE));
	if (!run.m.grouped &&
	    stats->readers_inside + stats->writers_inside +
		    stats->upgradables_inside ==
		0 &&
	    stats->readers_waiting + stats->writers_waiting +
		    stats->upgradables_waiting >
		0)
		log_fail("one waits though nobody is inside");
	compare_between("cancelled", stats->cancelled, totals->cancelled,
	    totals->cancelled_slack);
}

static void
compare_lock(int lock)
{
	const struct totals *totals = &run.m.totals[lock];
	struct evrwlock_stats stats;

	if (run.m.status[lock] == GONE)
		return;
	run.kind->get_stats(run.locks[lock], &stats);
	compare("readers_inside", stats.readers_inside,
	    (size_t)model_inside(&run.m, lock, READ));
	compare("writers_inside", stats.writers_inside,
	    (size_t)model_inside(&run.m, lock, WRITE));
	compare("upgradables_inside", stats.upgradables_inside,
	    (size_t)model_inside(&run.m, lock, UPGRADABLE));
	compare_between("upgradables_granted", stats.upgradables_granted,
	    totals->granted[UPGRADABLE], totals->granted_slack[UPGRADABLE]);
	compare_between("readers_granted", stats.readers_granted,
	    totals->granted[READ], totals->granted_slack[READ]);
	compare_between("writers_granted", stats.writers_granted,
	    totals->granted[WRITE], totals->granted_slack[WRITE]);
	compare("longest_queue", stats.longest_queue, totals->longest);
	if (!run.kind->agrees(run.locks[lock],
		run.m.tokens > 0 ? run.m.tokens : run.m.limits[lock], &stats))
		log_fail("a lock does not say the same in all ways");
	/* While it closes, its waiters fail one by one. */
	if (!model_is_in(&run.m, CLOSE, lock) &&
	    !model_is_failing(&run.m, lock))
		compare_waiting(&stats, lock);
}

/* A loop stays while something is due there, and not longer than until its next turn. */
static void
compare_loop(int lock)
{
	const bool stays = event_base_get_num_events(
			       loop_of(lock), EVENT_BASE_COUNT_ADDED) > 0;
	const struct member *member = &run.m.group.members[lock];

	if (run.m.base_closed[lock])
		return;
	if (member->awaits && !stays)
		log_fail("a loop ends though one waits there");
	if (stays && !member->awaits && run.turned == lock && !run.timed)
		log_fail("a loop stays though nobody waits there");
}

static void
compare_group(void)
{
	const struct group *group = &run.m.group;
	struct evgroup_stats stats;
	size_t members = 0;
	int i;

	if (run.group == NULL)
		return;
	evgroup_get_stats(run.group, &stats);
	compare("writing", stats.writing, group->writer != 0);
	compare("members that wait to read", stats.readers_waiting,
	    group_readers_waiting(&run.m));
	compare("members that wait to write", stats.writers_waiting,
	    group_writers_waiting(&run.m));
	compare_between("rights", stats.rights, group->rights, group->slack);
	compare_between("recalls", stats.recalls, group->recalls, group->slack);
	compare("wake_ups", (size_t)stats.wake_ups, group->wake_ups);
	if (run.m.depth > 0)
		return;
	for (i = 0; i < run.m.lock_count; i++) {
		members += run.m.status[i] != GONE;
		compare_loop(i);
	}
	compare("members", stats.members, members);
}

/* Are members giving back what they have, one thing after the other? */
static bool
is_leaving_group(void)
{
	int i;

	for (i = 0; i < run.m.lock_count; i++)
		if (model_is_in(&run.m, CLOSE, i) ||
		    model_is_in(&run.m, END_BASE, i))
			return true;
	return false;
}

static void
compare_all(void)
{
	int i;

	/* The steps before the last were looked at when they were the last. */
	if (run.taken < run.count)
		return;
	if (run.m.depth == 0)
		compare_between("reports of failures", run.reports,
		    run.m.reports, run.m.reports_slack);
	/* While an owner ends, what goes first is not said. */
	for (i = 1; i < run.m.party_count; i++)
		if (run.m.ending[i])
			return;
	if (model_is_unsure(&run.m))
		return;
	for (i = 0; i < run.m.lock_count; i++)
		compare_lock(i);
	if (run.m.grouped && !is_leaving_group())
		compare_group();
}

/*
 * Allocations that fail.
 */

/* The n-th from now on, if any are to fail. */
static void
arm(size_t n)
{
	if (failing.how == 0)
		return;
	failing.armed = true;
	alloc_fail_at(n, failing.how == 2);
}

/* All, in a call that can't be refused. */
static void
arm_all(void)
{
	if (failing.how == 0)
		return;
	failing.armed = true;
	failing.without++;
	alloc_fail_at(1, true);
}

/* At the end of a call, and where it calls us. */
static void
disarm(void)
{
	if (!failing.armed)
		return;
	failing.armed = false;
	alloc_fail_at(0, false);
	failing.hit = alloc_failed();
}

/* The call just made was refused.  It must have been for that, and all must be
 * as it was, if it is a call of the lock. */
static void
check_refusal(bool of_lock)
{
	struct model after;

	if (!failing.hit)
		log_fail("a call was refused for no reason");
	if (errno != ENOMEM)
		log_fail("a call without memory gave another errno");
	failing.refusals++;
	if (!of_lock)
		return;
	/* What was asked of the group was for nothing. */
	run.m.group.slack++;
	failing.before.group.slack++;
	after = run.m;
	run.m = failing.before;
	compare_all();
	run.m = after;
}

/*
 * Steps.
 */

static void take_steps(void);

/* For the test that is printed: which callbacks ought to have come instead. */
static void
log_due(int called)
{
	struct model copy = run.m;
	int client = model_next_told(&copy, called);

	if (client == called) {
		if (model_end(&copy, &client) != NULL)
			log_missing(client, model_code(&copy, client));
		return;
	}
	for (; client != called; client = model_next_told(&copy, called)) {
		log_missing(client, 0);
		copy.clients[client].phase = IDLE;
	}
	log_missing(called, 0);
}

static void
called(void *arg)
{
	struct request *request = arg;
	const int c = request->client;
	const char *wrong;
	char text[96];

	if (run.clients[c] != request)
		fail_for(
		    c, "a callback is called after its Deferred was freed");
	wrong = model_called(&run.m, c, request->code);
	if (wrong != NULL) {
		log_due(c);
		snprintf(
		    text, sizeof(text), "code %d, %s", request->code, wrong);
		fail_for(c, text);
	}
	log_called(&run.m, c, request->code);
	run.clients[c] = NULL;
	compare_all();
	if (run.m.depth <= MOST_NESTED)
		take_steps();
	log_returned(&run.m);
	model_returned(&run.m);
}

static struct evresult
tell(struct request *request, int code)
{
	disarm();
	request->code = code;
	return site_run(request->site,
	    base_of(run.m.clients[request->client].lock), request->d, called,
	    request);
}

static struct evresult
on_grant(void *value, void *arg)
{
	struct request *request = arg;

	if (value != run.locks[run.m.clients[request->client].lock])
		fail_for(request->client, "a grant that is not its lock");
	return tell(request, 0);
}

static struct evresult
on_loss(struct evfailure *failure, void *arg)
{
	return tell(arg, evfailure_get_code(failure));
}

static struct evdeferred *
acquire_once(struct step step)
{
	return run.kind->acquire(run.locks[step.lock],
	    run.owners[run.m.clients[step.who].party], (enum mode)step.mode);
}

/* Until there is the memory for it. */
static struct evdeferred *
call_acquire(struct step step)
{
	struct evdeferred *d;
	size_t n;

	for (n = 1;; n++) {
		arm(n);
		d = acquire_once(step);
		disarm();
		if (d != NULL)
			return d;
		if (failing.how == 0)
			log_fail("an acquire returned NULL");
		check_refusal(true);
	}
}

static void
add_timeout(struct evdeferred *d)
{
	static const struct timeval second = {1, 0};
	size_t n;
	int rc;

	for (n = 1;; n++) {
		arm(n);
		rc = evdeferred_add_timeout(d, &second);
		disarm();
		if (rc == 0)
			return;
		if (failing.how == 0)
			log_fail("evdeferred_add_timeout failed");
		check_refusal(false);
	}
}

static void
add_callbacks(struct request *request)
{
	size_t n;
	int rc;

	for (n = 1;; n++) {
		arm(n);
		rc = evdeferred_add_callbacks(
		    request->d, on_grant, on_loss, request);
		disarm();
		if (rc == 0)
			return;
		if (failing.how == 0)
			log_fail("evdeferred_add_callbacks failed");
		check_refusal(false);
	}
}

static void
acquire(struct step step)
{
	const size_t n = run.request_count++;
	struct request *request = &run.requests[n];

	*request = (struct request){
	    .client = step.who, .site = (enum site)((run.sites + n) % SITES)};
	log_site(request->site);
	run.clients[step.who] = request;
	request->d = call_acquire(step);
	if (step.kind == ACQUIRE_TIMED) {
		run.timed = true;
		add_timeout(request->d);
	}
	add_callbacks(request);
}

static int
try(struct step step)
{
	size_t n;
	int rc;

	for (n = 1;; n++) {
		arm(n);
		rc = run.kind->try(run.locks[step.lock], run.owners[step.who],
		    (enum mode)step.mode);
		disarm();
		if (rc == 0 || failing.how == 0 || errno != ENOMEM)
			return rc;
		check_refusal(true);
	}
}

static int
release(struct step step)
{
	return run.kind->release(
	    run.locks[step.lock], run.owners[step.who], (enum mode)step.mode);
}

static int
downgrade(struct step step)
{
	const int to = step.kind == READ_ON ? READ : step.mode - 1;

	return run.kind->downgrade(run.locks[step.lock], run.owners[step.who],
	    (enum mode)step.mode, (enum mode)to);
}

static void
free_deferred(int c)
{
	struct evdeferred *d = run.clients[c]->d;

	run.clients[c] = NULL;
	evdeferred_free(d);
}

static struct evowner *
new_owner(int party)
{
	return evowner_new(base_of(model_lock_of(&run.m, party)), "an owner");
}

static void
end_owner(int party)
{
	/* First, for the old one may be the last that keeps its base. */
	struct evowner *next = new_owner(party);

	arm_all();
	evowner_free(run.owners[party]);
	run.owners[party] = next;
}

/* Until it has nothing left to deliver, and no longer than it may need: each
 * client can acquire once more from inside its callback. */
static void
turn(int lock)
{
	const int flags = EVLOOP_ONCE | EVLOOP_NONBLOCK |
			  (run.m.grouped ? EVLOOP_NO_EXIT_ON_EMPTY : 0);
	int left = 8;

	do
		event_base_loop(loop_of(lock), flags);
	while (model_turn_is_due(&run.m) && --left > 0);
}

static void *
create_once(int lock)
{
	const struct place place = {base_of(lock), run.group, run.setting};

	return run.kind->create(&place);
}

static void
join(int lock)
{
	size_t n;

	for (n = 1;; n++) {
		arm(n);
		run.locks[lock] = create_once(lock);
		disarm();
		if (run.locks[lock] != NULL)
			return;
		if (failing.how == 0)
			log_fail("nobody may join");
		check_refusal(true);
	}
}

/* Can it be refused for want of memory, or does it make something anew? */
static bool
takes_memory(struct step step)
{
	return step.kind <= TRY || step.kind == JOIN || step.kind == END_OWNER;
}

static int
call(struct step step)
{
	struct evdeferred *d = NULL;

	if (!takes_memory(step))
		arm_all();
	if (step.kind >= CANCEL && step.kind <= UNPAUSE)
		d = run.clients[step.who]->d;
	switch ((enum kind)step.kind) {
	case ACQUIRE:
	case ACQUIRE_TIMED:
		acquire(step);
		return 0;
	case TRY:
		return try(step);
	case RELEASE:
		return release(step);
	case STEP_DOWN:
	case READ_ON:
		return downgrade(step);
	case CANCEL:
		evdeferred_cancel(d);
		return 0;
	case FREE:
		free_deferred(step.who);
		return 0;
	case PAUSE:
		return evdeferred_pause(d);
	case UNPAUSE:
		return evdeferred_unpause(d);
	case SET_LIMIT:
		return run.kind->set_limit(run.locks[step.lock], step.mode);
	case CLOSE:
		run.kind->end(run.locks[step.lock]);
		return 0;
	case JOIN:
		join(step.lock);
		return 0;
	case END_OWNER:
		end_owner(step.who);
		return 0;
	case TURN:
		turn(step.lock);
		return 0;
	case PASS_TIME:
		clock_advance(2000);
		return 0;
	case END_BASE:
		evdefer_base_free(base_of(step.lock));
		return 0;
	case RETURN:
		break;
	}
	return 0;
}

static void
take(struct step step)
{
	const char *wrong;
	char text[128];
	int client, ought;

	if (failing.how != 0)
		failing.before = run.m;
	run.turned = step.kind == TURN ? step.lock : LOCKS;
	ought = model_begin(&run.m, step);
	log_begin(step, ought);
	errno = 0;
	if (call(step) == 0)
		errno = 0;
	disarm();
	if (errno != ought) {
		snprintf(text, sizeof(text), "it gave errno %d, and not %d",
		    errno, ought);
		log_fail(text);
	}
	wrong = model_end(&run.m, &client);
	if (wrong != NULL) {
		log_missing(client, model_code(&run.m, client));
		fail_for(client, wrong);
	}
	log_end(&run.m);
	compare_all();
}

static void
take_steps(void)
{
	struct step step;

	while (run.taken < run.count) {
		step = run.steps[run.taken++];
		if (step.kind == RETURN)
			return;
		take(step);
	}
	if (run.over)
		return;
	run.over = true;
	if (run.arrived != NULL)
		run.arrived(&run.m, run.arg);
}

/*
 * The end of a run.
 */

static bool
take_if_allowed(enum kind kind, int who, int lock, int mode)
{
	const struct step step = {
	    (uint8_t)kind, (uint8_t)who, (uint8_t)lock, (uint8_t)mode};

	if (!model_allows(&run.m, step))
		return false;
	take(step);
	return true;
}

static void
release_all(void)
{
	int party, lock, mode;

	for (party = 0; party < run.m.party_count; party++)
		for (lock = 0; lock < run.m.lock_count; lock++)
			for (mode = READ; mode <= WRITE; mode++)
				while (
				    run.m.received[party][lock][mode] > 0 &&
				    take_if_allowed(RELEASE, party, lock, mode))
					continue;
}

static void
for_clients(enum kind kind)
{
	int c;

	for (c = 0; c < run.m.client_count; c++)
		take_if_allowed(kind, c, 0, 0);
}

static bool
is_quiet(void)
{
	int c, lock;

	for (c = 0; c < run.m.client_count; c++)
		if (run.m.clients[c].phase != IDLE)
			return false;
	for (lock = 0; lock < run.m.lock_count; lock++)
		if (run.m.status[lock] != GONE &&
		    model_inside(&run.m, lock, READ) +
			    model_inside(&run.m, lock, UPGRADABLE) +
			    model_inside(&run.m, lock, WRITE) >
			0)
			return false;
	return true;
}

static void
for_bases(enum kind kind)
{
	int i;

	for (i = 0; i < base_count(); i++)
		take_if_allowed(kind, 0, i, 0);
}

/* Everybody is granted and releases: nothing is ever stuck. */
static void
finish(void)
{
	int left = 2 * CLIENTS;

	while (!is_quiet()) {
		if (--left == 0)
			log_fail("it does not come to an end");
		for_clients(UNPAUSE);
		for_bases(TURN);
		release_all();
	}
}

static void
free_group(void)
{
	evgroup_free(run.group);
	run.group = NULL;
}

static void
end_all(int ending)
{
	int i;

	if (ending == 1)
		take_if_allowed(END_BASE, 0, 0, 0);
	if (ending == 2)
		for_clients(FREE);
	if (ending == 3) {
		for (i = 1; i < run.m.party_count; i++)
			take_if_allowed(END_OWNER, i, 0, 0);
		/* The members go on without it. */
		free_group();
	}
	finish();
	for (i = 0; i < run.m.lock_count; i++)
		if (run.m.status[i] == OPEN)
			take((struct step){.kind = CLOSE, .lock = (uint8_t)i});
}

static void
ignore(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

/* The loop keeps the memory that its timers once took. */
static void
make_room_for_timers(struct event_base *loop)
{
	static const struct timeval second = {1, 0};
	struct event *events[2 * CLIENTS];
	int i;

	for (i = 0; i < 2 * CLIENTS; i++) {
		events[i] = evtimer_new(loop, ignore, NULL);
		if (events[i] == NULL || event_add(events[i], &second) == -1)
			abort();
	}
	for (i = 0; i < 2 * CLIENTS; i++)
		event_free(events[i]);
}

static struct event_base *
new_loop(void)
{
	struct event_config *config = event_config_new();
	struct event_base *fresh;

	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	/* The others learn of an event without a call of the kernel. */
	event_config_avoid_method(config, "epoll");
	fresh = event_base_new_with_config(config);
	event_config_free(config);
	if (fresh == NULL)
		abort();
	return fresh;
}

/* libevent keeps what it has noted of a descriptor once.  Each loop has the same in
 * all runs. */
static void
make_room_for_channels(void)
{
	struct evdefer_base *bases[LOCKS];
	int i;

	for (i = 0; i < LOCKS; i++)
		bases[i] = evdefer_base_new(loops[i]);
	for (i = 0; i < LOCKS; i++)
		evdefer_base_free(bases[i]);
}

void
driver_init(void)
{
	int i;

	for (i = 0; i < LOCKS; i++) {
		loops[i] = new_loop();
		make_room_for_timers(loops[i]);
	}
	make_room_for_channels();
}

void
driver_fail_allocations(int how)
{
	failing.how = how;
}

/* A fast lock has a way of its own for one that is there. */
size_t
driver_reserved(int ending)
{
	return ending % 2 == 0 ? CLIENTS : 0;
}

uint64_t
driver_refusals(void)
{
	return failing.refusals;
}

uint64_t
driver_calls_without_memory(void)
{
	return failing.without;
}

static void
start(int ending)
{
	int i;

	model_init(&run.m, run.setting);
	run.kind = lock_kind(run.setting->tokens);
	run.group = run.m.grouped ? evgroup_new() : NULL;
	for (i = 0; i < base_count(); i++) {
		run.bases[i] = evdefer_base_new(loops[i]);
		evdefer_base_set_unhandled(run.bases[i], note_report, NULL);
		if (failing.how == 0)
			evdefer_base_reserve(
			    run.bases[i], driver_reserved(ending), 0);
	}
	for (i = 0; i < run.m.lock_count; i++)
		run.locks[i] = create_once(i);
	for (i = 1; i < run.m.party_count; i++)
		run.owners[i] = new_owner(i);
}

void
driver_run(const struct setting *setting, const struct step *steps,
    size_t count, int ending, driver_arrived_fn arrived, void *arg)
{
	const long before = alloc_live();
	struct event_base *usual[LOCKS];
	int i;

	memcpy(usual, loops, sizeof(loops));
	/* In a new loop the memory of timers may fail too. */
	for (i = 0; failing.how != 0 && i < LOCKS; i++)
		loops[i] = new_loop();
	memset(run.clients, 0, sizeof(run.clients));
	memset(run.owners, 0, sizeof(run.owners));
	run.setting = setting;
	run.steps = steps;
	run.count = count;
	run.arrived = arrived;
	run.arg = arg;
	run.taken = run.request_count = 0;
	run.sites = count + (size_t)ending;
	run.reports = 0;
	run.over = run.timed = false;
	log_start(setting, ending, &run.m);
	start(ending);
	take_steps();
	end_all(ending);
	for (i = 1; i < run.m.party_count; i++)
		evowner_free(run.owners[i]);
	for (i = 0; i < base_count(); i++)
		if (!run.m.base_closed[i])
			evdefer_base_free(run.bases[i]);
	free_group();
	for (i = 0; failing.how != 0 && i < LOCKS; i++)
		event_base_free(loops[i]);
	memcpy(loops, usual, sizeof(loops));
	if (alloc_works() && alloc_live() != before)
		log_fail("memory is left at the end");
}
