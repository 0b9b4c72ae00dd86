/* SPDX-License-Identifier: MIT */
/* The steps of a world. */
#include "world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "../clock.h"
#include "judge.h"
#include "processes.h"

#define TIMEOUT_MS 15000
/* So much after a probe was sent it is given up, and after twice as much the right. */
#define THIRD_MS (TIMEOUT_MS / 3)

struct world world;
bool world_verbose;
void (*world_failed)(const char *what);

static const char *const names[WORLD_KINDS] = {"wants to read",
    "wants to write", "is done with reading", "is done with writing",
    "goes from writing to reading", "does not want it any more",
    "finds a server", "is answered", "has its next change executed",
    "has its server catch up by one", "loses its server",
    "is cut off until its session has ended",
    "is stopped until its session has ended", "time", "late", "expires",
    "reaped"};

const char *
world_name(struct world_step step)
{
	static char name[96];

	if (step.kind == WORLD_TIME)
		return "a third of the timeout passes";
	if (step.kind == WORLD_REAP)
		return "the servers remove empty containers";
	if (step.kind == WORLD_LATE)
		snprintf(name, sizeof(name),
		    "what session %d has left is executed: one", step.n);
	else if (step.kind == WORLD_EXPIRE)
		snprintf(name, sizeof(name), "session %d expires", step.n);
	else
		snprintf(name, sizeof(name), "%c %s", 'A' + step.n,
		    names[step.kind]);
	return name;
}

#define BOTH(kind)                                                             \
	{kind, 0},                                                             \
	{                                                                      \
		kind, 1                                                        \
	}

const struct world_step world_steps[] = {BOTH(WORLD_READ), BOTH(WORLD_WRITE),
    BOTH(WORLD_RELEASE_READ), BOTH(WORLD_RELEASE_WRITE), BOTH(WORLD_DOWNGRADE),
    BOTH(WORLD_CANCEL), BOTH(WORLD_CONNECT), BOTH(WORLD_ANSWER),
    BOTH(WORLD_EXECUTE), BOTH(WORLD_CATCH_UP), BOTH(WORLD_LOSE),
    BOTH(WORLD_CUT_OFF), BOTH(WORLD_STOP), {WORLD_TIME, 0}, BOTH(WORLD_LATE),
    {WORLD_LATE, 2}, {WORLD_LATE, 3}, BOTH(WORLD_EXPIRE), {WORLD_EXPIRE, 2},
    {WORLD_EXPIRE, 3}, {WORLD_REAP, 0}};
const size_t world_step_count = sizeof(world_steps) / sizeof(*world_steps);

/*
 * Processes.
 */

struct evseat *
process_seat(const struct process *process)
{
	const struct evlist *first = process->cluster->seats.next;

	if (first == &process->cluster->seats)
		return NULL;
	return EVLIST_ELEMENT(first, struct evseat, node);
}

int
process_wire(const struct process *process)
{
	int i;

	for (i = 0; i < FAKE_WIRES; i++)
		if (world.fake->wires[i].opened != 0 &&
		    world.fake->wires[i].setting.arg == process->cluster)
			return i;
	return -1;
}

bool
process_is_sure(const struct process *process)
{
	return evsession_is_sure_(process->cluster);
}

static void
ignore_failure(const struct evfailure *failure, void *arg)
{
	(void)failure;
	(void)arg;
}

void
world_init(void)
{
	int i;

	for (i = 0; i < WORLD_PROCESSES; i++) {
		struct process *process = &world.processes[i];

		process->number = i;
		process->loop = event_base_new();
		process->base = process->loop != NULL
				    ? evdefer_base_new(process->loop)
				    : NULL;
		if (process->base == NULL)
			abort();
		evdefer_base_set_unhandled(process->base, ignore_failure, NULL);
	}
}

static struct evresult
note_lost(void *value, void *arg)
{
	struct process *process = arg;
	int i;

	(void)value;
	for (i = 0; i < WORLD_REQUESTS; i++)
		if (process->requests[i].phase == HOLDING)
			process->requests[i].lost = true;
	evdeferred_free(process->lost);
	process->lost = evrwlock_lost(process->lock);
	if (process->lost == NULL ||
	    evdeferred_add_callback(process->lost, note_lost, process) == -1)
		abort();
	process->lost_token = process->write_token;
	return evresult_value(NULL);
}

static void
start_process(struct process *process)
{
	struct evcluster_options options = {0};
	int i;

	process->cluster =
	    evcluster_new_on_(process->base, "127.0.0.1", &options, fake_open);
	if (process->cluster == NULL)
		abort();
	process->lock = evrwlock_new_in_cluster(process->cluster, "x", 0);
	if (process->lock == NULL)
		abort();
	process->lost = evrwlock_lost(process->lock);
	if (process->lost == NULL ||
	    evdeferred_add_callback(process->lost, note_lost, process) == -1)
		abort();
	process->write_token = process->lost_token = 0;
	for (i = 0; i < WORLD_REQUESTS; i++) {
		process->requests[i].process = process;
		process->requests[i].phase = IDLE;
	}
	fake_add_loop(world.fake, process->loop);
	evdeferred_free(evcluster_connect(process->cluster));
	fake_turn(world.fake);
}

/*
 * Requests.
 */

static struct request *
find_request(struct process *process, enum phase phase, int mode)
{
	struct request *request;
	int i;

	for (i = WORLD_REQUESTS; i-- > 0;) {
		request = &process->requests[i];
		if (request->phase == phase &&
		    (mode == -1 || mode == (int)request->mode))
			return request;
	}
	return NULL;
}

static struct evresult
note_granted(void *value, void *arg)
{
	struct request *request = arg;

	(void)value;
	request->phase = HOLDING;
	request->lost = false;
	request->session = request->process->cluster->session;
	evdeferred_free(request->d);
	request->d = NULL;
	judge_grant(request);
	return evresult_value(NULL);
}

static struct evresult
note_failed(struct evfailure *failure, void *arg)
{
	struct request *request = arg;

	if (evfailure_get_code(failure) != ECANCELED &&
	    (evfailure_get_code(failure) != EPROTO || !world.numbers_run_over))
		world_failed(evfailure_get_message(failure));
	request->phase = IDLE;
	evdeferred_free(request->d);
	request->d = NULL;
	return evresult_value(NULL);
}

static void
acquire(struct process *process, enum evrwlock_mode mode)
{
	struct request *request = find_request(process, IDLE, -1);

	request->phase = WAITING;
	request->mode = mode;
	request->serial = ++world.serial;
	request->d = evrwlock_acquire(process->lock, NULL, mode);
	if (request->d == NULL || evdeferred_add_callbacks(request->d,
				      note_granted, note_failed, request) == -1)
		world_failed("an acquire was refused");
}

/* Lost ones are told so, and those whose time is over may be. */
static void
judge_result(const struct process *process, bool lost, int result)
{
	if (lost && (result != -1 || errno != ESTALE))
		world_failed("a hold that was lost was released as if not");
	if (!lost && process_is_sure(process) && result == -1)
		world_failed("a hold that is not lost can't be released");
}

static void
release(struct process *process, enum evrwlock_mode mode)
{
	struct request *request = find_request(process, HOLDING, (int)mode);

	request->phase = IDLE;
	errno = 0;
	judge_result(process, request->lost,
	    evrwlock_release(process->lock, NULL, mode));
}

static void
downgrade(struct process *process)
{
	struct request *request =
	    find_request(process, HOLDING, EVRWLOCK_WRITE);

	errno = 0;
	if (evrwlock_downgrade(
		process->lock, NULL, EVRWLOCK_WRITE, EVRWLOCK_READ) == 0)
		request->mode = EVRWLOCK_READ;
	else if (!request->lost && process_is_sure(process))
		world_failed("can't go from writing to reading");
}

static void
cancel(struct process *process)
{
	evdeferred_cancel(find_request(process, WAITING, -1)->d);
}

static const struct fake_session *
session_of(const struct process *process)
{
	const int n = process_wire(process);

	return n != -1 ? world.fake->wires[n].session : NULL;
}

/*
 * What is possible.
 */

static bool
fake_allows(enum fake_kind kind, int n)
{
	struct fake_step steps[8 * FAKE_WIRES + 2 * FAKE_SESSIONS];
	const size_t count =
	    fake_steps(world.fake, steps, sizeof(steps) / sizeof(*steps));
	size_t i;

	for (i = 0; i < count; i++)
		if (steps[i].kind == kind && steps[i].n == n)
			return true;
	return false;
}

/* WORLD_CONNECT and so on, in the same order. */
static const enum fake_kind kinds[] = {
    FAKE_CONNECT, FAKE_ANSWER, FAKE_EXECUTE, FAKE_CATCH_UP, FAKE_LOSE};

static bool
process_allows(struct process *process, enum world_kind kind)
{
	switch (kind) {
	case WORLD_READ:
	case WORLD_WRITE:
		return find_request(process, IDLE, -1) != NULL;
	case WORLD_RELEASE_READ:
		return find_request(process, HOLDING, EVRWLOCK_READ) != NULL;
	case WORLD_RELEASE_WRITE:
	case WORLD_DOWNGRADE:
		return find_request(process, HOLDING, EVRWLOCK_WRITE) != NULL;
	case WORLD_CANCEL:
		return find_request(process, WAITING, -1) != NULL;
	case WORLD_CUT_OFF:
	case WORLD_STOP:
		return session_of(process) != NULL &&
		       session_of(process)->alive;
	default:
		return fake_allows(
		    kinds[kind - WORLD_CONNECT], process_wire(process));
	}
}

bool
world_allows(struct world_step step)
{
	switch (step.kind) {
	case WORLD_TIME:
		return true;
	case WORLD_LATE:
		return fake_allows(FAKE_LATE, step.n);
	case WORLD_EXPIRE:
		return fake_allows(FAKE_EXPIRE, step.n);
	case WORLD_REAP:
		return fake_has_empty_container(world.fake);
	default:
		return process_allows(
		    &world.processes[step.n], (enum world_kind)step.kind);
	}
}

/*
 * Steps.
 */

static void
answer_all(const struct process *process)
{
	const int n = process_wire(process);

	while (n != -1 && fake_allows(FAKE_ANSWER, n))
		fake_do(world.fake, (struct fake_step){FAKE_ANSWER, n});
}

/* For as long as the session lasts, in which the other one is well. */
static void
go_missing(struct process *process, bool stopped)
{
	const struct fake_session *session = session_of(process);
	int i;

	if (stopped)
		fake_remove_loop(world.fake, process->loop);
	else if (fake_allows(FAKE_LOSE, process_wire(process)))
		fake_do(world.fake,
		    (struct fake_step){FAKE_LOSE, process_wire(process)});
	for (i = 0; i < 3; i++) {
		clock_advance(THIRD_MS);
		fake_turn(world.fake);
		answer_all(&world.processes[!process->number]);
	}
	fake_do(world.fake, (struct fake_step){FAKE_EXPIRE,
				(int)(session - world.fake->sessions)});
	fake_add_loop(world.fake, process->loop);
}

static void
pass_time(void)
{
	clock_advance(THIRD_MS);
	fake_turn(world.fake);
}

static void
do_to_process(struct process *process, enum world_kind kind)
{
	switch (kind) {
	case WORLD_READ:
		acquire(process, EVRWLOCK_READ);
		break;
	case WORLD_WRITE:
		acquire(process, EVRWLOCK_WRITE);
		break;
	case WORLD_RELEASE_READ:
		release(process, EVRWLOCK_READ);
		break;
	case WORLD_RELEASE_WRITE:
		release(process, EVRWLOCK_WRITE);
		break;
	case WORLD_DOWNGRADE:
		downgrade(process);
		break;
	case WORLD_CANCEL:
		cancel(process);
		break;
	case WORLD_CUT_OFF:
	case WORLD_STOP:
		go_missing(process, kind == WORLD_STOP);
		return;
	default:
		fake_do(
		    world.fake, (struct fake_step){kinds[kind - WORLD_CONNECT],
				    process_wire(process)});
		return;
	}
	fake_turn(world.fake);
}

static void
do_step(struct world_step step)
{
	switch (step.kind) {
	case WORLD_TIME:
		pass_time();
		break;
	case WORLD_LATE:
		fake_do(world.fake, (struct fake_step){FAKE_LATE, step.n});
		break;
	case WORLD_EXPIRE:
		fake_do(world.fake, (struct fake_step){FAKE_EXPIRE, step.n});
		break;
	case WORLD_REAP:
		fake_reap(world.fake);
		break;
	default:
		do_to_process(
		    &world.processes[step.n], (enum world_kind)step.kind);
	}
}

void
world_do(struct world_step step)
{
	if (world_verbose)
		printf("%s\n", world_name(step));
	do_step(step);
	if (world_verbose)
		judge_describe();
	judge_now();
}

/*
 * Beginnings.
 */

static void
start_fresh(void)
{
}

static void
settle(void)
{
	fake_run(world.fake);
}

/* Somebody was inside before. */
static void
start_idle(void)
{
	int i;

	settle();
	for (i = 0; i < WORLD_PROCESSES; i++) {
		acquire(&world.processes[i], EVRWLOCK_WRITE);
		settle();
		release(&world.processes[i], EVRWLOCK_WRITE);
		settle();
	}
}

static void
start_both_read(void)
{
	settle();
	acquire(&world.processes[0], EVRWLOCK_READ);
	acquire(&world.processes[1], EVRWLOCK_READ);
	settle();
}

static void
start_one_writes_alone(void)
{
	settle();
	acquire(&world.processes[0], EVRWLOCK_WRITE);
	settle();
}

static void
start_one_writes(void)
{
	settle();
	acquire(&world.processes[0], EVRWLOCK_WRITE);
	settle();
	acquire(&world.processes[1], EVRWLOCK_WRITE);
	settle();
}

static void
start_one_reads_one_wants_to_write(void)
{
	settle();
	acquire(&world.processes[0], EVRWLOCK_READ);
	settle();
	acquire(&world.processes[1], EVRWLOCK_WRITE);
	settle();
}

static void
start_one_writes_one_wants_to_read(void)
{
	settle();
	acquire(&world.processes[0], EVRWLOCK_WRITE);
	settle();
	acquire(&world.processes[1], EVRWLOCK_READ);
	settle();
}

static void
start_at_the_last_number(void)
{
	start_idle();
	world.numbers_run_over = true;
	fake_set_counter(world.fake, "/evdefer/x", INT32_MAX - 1);
}

const struct world_setting world_settings[] = {
    {"neither is connected", start_fresh}, {"nobody wants it", start_idle},
    {"both read", start_both_read}, {"one writes", start_one_writes_alone},
    {"one writes, the other wants to", start_one_writes},
    {"one reads, the other wants to write", start_one_reads_one_wants_to_write},
    {"one writes, the other wants to read", start_one_writes_one_wants_to_read},
    {"numbers are about to run over", start_at_the_last_number}};
const size_t world_setting_count =
    sizeof(world_settings) / sizeof(*world_settings);

void
world_begin(const struct world_setting *setting)
{
	int i;

	world.fake = fake_start();
	world.numbers_run_over = false;
	for (i = 0; i < WORLD_PROCESSES; i++)
		start_process(&world.processes[i]);
	setting->start();
	if (world_verbose)
		judge_describe();
	judge_now();
}

/*
 * Ends.
 */

/* Sessions that nobody has any more end.  Whether any is left. */
static bool
end_orphans(void)
{
	bool left = false;
	int i;

	for (i = 0; i < FAKE_SESSIONS; i++) {
		const struct fake_session *session = &world.fake->sessions[i];

		if (session->id == 0 || !session->alive || session->wired)
			continue;
		left = true;
		if (fake_allows(FAKE_EXPIRE, i))
			fake_do(world.fake, (struct fake_step){FAKE_EXPIRE, i});
	}
	return left;
}

/* All is well for longer than anybody waits for anything. */
static void
be_well(void)
{
	do {
		fake_run(world.fake);
		clock_advance(THIRD_MS);
		fake_turn(world.fake);
		judge_now();
	} while (end_orphans());
	fake_run(world.fake);
}

static bool
release_all(void)
{
	bool any = false;
	int i, j;

	for (i = 0; i < WORLD_PROCESSES; i++)
		for (j = 0; j < WORLD_REQUESTS; j++) {
			struct request *request =
			    &world.processes[i].requests[j];

			if (request->phase == HOLDING) {
				release(&world.processes[i], request->mode);
				any = true;
			}
		}
	fake_run(world.fake);
	judge_now();
	return any;
}

static void
free_processes(void)
{
	int i;

	for (i = 0; i < WORLD_PROCESSES; i++) {
		struct process *process = &world.processes[i];

		evdeferred_free(process->lost);
		evrwlock_free(process->lock);
		evcluster_free(process->cluster);
	}
}

/* What is not given back in a second is left to the servers. */
static void
wait_for_memory(void)
{
	fake_turn(world.fake);
	clock_advance(2000);
	fake_turn(world.fake);
}

void
world_end(void)
{
	if (world_verbose)
		printf("all is well from now on\n");
	be_well();
	if (world_verbose)
		judge_describe();
	judge_waits();
	while (release_all())
		;
	judge_idle();
	free_processes();
	fake_run(world.fake);
	wait_for_memory();
	judge_gone();
}

void
world_drop(void)
{
	struct process *process;
	int i, j;

	for (i = 0; i < WORLD_PROCESSES; i++) {
		process = &world.processes[i];
		for (j = 0; j < WORLD_REQUESTS; j++) {
			struct request *request = &process->requests[j];

			if (request->phase == WAITING)
				evdeferred_cancel(request->d);
			if (request->phase == HOLDING)
				evrwlock_release(
				    process->lock, NULL, request->mode);
			request->phase = IDLE;
		}
	}
	free_processes();
	wait_for_memory();
}
