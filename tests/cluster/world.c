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
    "has its server catch up by one", "loses its server", "is cut off",
    "is stopped", "is there again", "has its session ended, out of turn",
    "time", "late", "expires", "has its node deleted by an operator", "reaped"};

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

const struct tree_node *
process_node(const struct process *process, enum evrwlock_mode mode)
{
	const struct tree *tree = &world.fake->tree;
	const char letter = mode == EVRWLOCK_WRITE ? 'w' : 'r';
	size_t i;

	for (i = 0; i < tree->count; i++)
		if (tree->nodes[i].owner != 0 &&
		    tree->nodes[i].owner == process->cluster->session &&
		    strrchr(tree->nodes[i].path, '/')[1] == letter)
			return &tree->nodes[i];
	return NULL;
}

static void
ignore_failure(const struct evfailure *failure, void *arg)
{
	(void)failure;
	(void)arg;
}

/* One that keeps nothing in the kernel. */
static struct event_base *
new_loop(void)
{
	struct event_config *config = event_config_new();
	struct event_base *loop;

	if (config == NULL || event_config_avoid_method(config, "epoll") == -1)
		abort();
	loop = event_base_new_with_config(config);
	event_config_free(config);
	return loop;
}

void
world_init(void)
{
	int i;

	for (i = 0; i < WORLD_PROCESSES; i++) {
		struct process *process = &world.processes[i];

		process->number = i;
		process->loop = new_loop();
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
start_process(struct process *process, const char *script)
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
	process->read_token = process->write_token = process->lost_token = 0;
	process->script = script;
	process->asked = '\0';
	process->cut = process->stopped = false;
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

void
process_acquire(struct process *process, enum evrwlock_mode mode)
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

void
process_release(struct process *process, enum evrwlock_mode mode)
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

struct list {
	struct world_step *steps;
	size_t count;
};

static void
add(struct list *list, enum world_kind kind, int n)
{
	if (list->count == WORLD_STEPS)
		abort();
	list->steps[list->count++] =
	    (struct world_step){(uint8_t)kind, (uint8_t)n};
}

static bool
is_missing(const struct process *process)
{
	return process->cut || process->stopped;
}

/* A script is a pledge that there is an end. */
static void
add_acquires(struct list *list, const struct process *process)
{
	const char *script = process->script;

	if (find_request((struct process *)process, IDLE, -1) == NULL)
		return;
	if (script == NULL || *script == 'r')
		add(list, WORLD_READ, process->number);
	if (script == NULL || *script == 'w' || *script == 'd')
		add(list, WORLD_WRITE, process->number);
}

static bool
may_downgrade(const struct process *process)
{
	return process->script == NULL || process->asked == 'd';
}

static void
add_calls(struct list *list, struct process *process)
{
	const int n = process->number;

	add_acquires(list, process);
	if (find_request(process, HOLDING, EVRWLOCK_READ) != NULL)
		add(list, WORLD_RELEASE_READ, n);
	if (find_request(process, HOLDING, EVRWLOCK_WRITE) != NULL) {
		add(list, WORLD_RELEASE_WRITE, n);
		if (may_downgrade(process))
			add(list, WORLD_DOWNGRADE, n);
	}
	if (world.faults.cancels > 0 &&
	    find_request(process, WAITING, -1) != NULL)
		add(list, WORLD_CANCEL, n);
}

static void
add_faults(struct list *list, const struct process *process)
{
	const struct fake_session *session = session_of(process);
	const struct world_faults *left = &world.faults;
	const int n = process->number;

	if (is_missing(process)) {
		add(list, WORLD_COME_BACK, n);
		return;
	}
	if (session == NULL || !session->alive)
		return;
	if (left->cuts > 0)
		add(list, WORLD_CUT_OFF, n);
	if (left->stops > 0)
		add(list, WORLD_STOP, n);
	if (left->ends > 0)
		add(list, WORLD_END, n);
	if (left->deletions > 0 &&
	    (process_node(process, EVRWLOCK_WRITE) != NULL ||
		process_node(process, EVRWLOCK_READ) != NULL))
		add(list, WORLD_DELETE, n);
}

/* The process that has the wire. */
static struct process *
process_of_wire(int wire)
{
	int i;

	for (i = 0; i < WORLD_PROCESSES; i++)
		if (process_wire(&world.processes[i]) == wire)
			return &world.processes[i];
	abort();
}

/* A server that has heard of the end of a session closes the connection. */
static bool
may_lose(const struct fake_wire *wire)
{
	return world.faults.losses > 0 || wire->ended;
}

/* Is it the next thing that a server does?  What the leader has executed is answered as soon
 * as the server has come so far, before anything later is told. */
static bool
may_catch_up(const struct fake_wire *wire)
{
	const struct fake_request *first = &wire->queue[0];

	return wire->queued == 0 || !first->executed ||
	       wire->applied < first->after;
}

/* The fake would do both at a time, otherwise. */
static bool
may_answer(const struct fake_wire *wire)
{
	const struct fake_request *first = &wire->queue[0];

	return fake_is_read(first) ||
	       (first->executed && wire->applied >= first->after);
}

static void
add_of_wire(struct list *list, struct fake_step step)
{
	const struct fake_wire *wire = &world.fake->wires[step.n];
	const struct process *process = process_of_wire(step.n);

	if (step.kind == FAKE_EXECUTE)
		add(list, WORLD_EXECUTE, process->number);
	if (process->stopped)
		return;
	if (step.kind == FAKE_CONNECT && !process->cut)
		add(list, WORLD_CONNECT, process->number);
	if (step.kind == FAKE_ANSWER && may_answer(wire))
		add(list, WORLD_ANSWER, process->number);
	if (step.kind == FAKE_CATCH_UP && may_catch_up(wire))
		add(list, WORLD_CATCH_UP, process->number);
	if (step.kind == FAKE_LOSE && may_lose(wire))
		add(list, WORLD_LOSE, process->number);
}

static void
add_of_fake(struct list *list)
{
	struct fake_step steps[8 * FAKE_WIRES + 2 * FAKE_SESSIONS];
	const size_t count =
	    fake_steps(world.fake, steps, sizeof(steps) / sizeof(*steps));
	size_t i;

	for (i = 0; i < count; i++)
		if (steps[i].kind == FAKE_LATE)
			add(list, WORLD_LATE, steps[i].n);
		else if (steps[i].kind == FAKE_EXPIRE)
			add(list, WORLD_EXPIRE, steps[i].n);
		else
			add_of_wire(list, steps[i]);
}

/* Does it wait for an answer, though it is well? */
static bool
is_slow(const struct process *process)
{
	const int n = process_wire(process);

	return !is_missing(process) &&
	       (n == -1 || !world.fake->wires[n].connected ||
		   world.fake->wires[n].queued > 0);
}

/* It is of no account where nobody misses anything. */
static bool
may_time_pass(void)
{
	const struct process *a = &world.processes[0];
	const struct process *b = &world.processes[1];

	if (world.faults.thirds == 0)
		return false;
	return world.faults.slow ||
	       ((is_missing(a) || is_missing(b)) && !is_slow(a) && !is_slow(b));
}

size_t
world_next(struct world_step steps[WORLD_STEPS])
{
	struct list list = {steps, 0};
	int i;

	for (i = 0; i < WORLD_PROCESSES; i++)
		if (!world.processes[i].stopped)
			add_calls(&list, &world.processes[i]);
	add_of_fake(&list);
	for (i = 0; i < WORLD_PROCESSES; i++)
		add_faults(&list, &world.processes[i]);
	if (may_time_pass())
		add(&list, WORLD_TIME, 0);
	if (world.faults.reaps > 0 && fake_has_empty_container(world.fake))
		add(&list, WORLD_REAP, 0);
	return list.count;
}

bool
world_allows(struct world_step step)
{
	struct world_step steps[WORLD_STEPS];
	const size_t count = world_next(steps);
	size_t i;

	for (i = 0; i < count; i++)
		if (steps[i].kind == step.kind && steps[i].n == step.n)
			return true;
	return false;
}

bool
world_is_quiet(const struct world_step steps[], size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (steps[i].kind == WORLD_CONNECT ||
		    steps[i].kind == WORLD_ANSWER ||
		    steps[i].kind == WORLD_CATCH_UP)
			return false;
	return true;
}

/*
 * What need not be tried.
 *
 * Steps that belong to one process, its connection and its server alone do not depend on what
 * the other does, or the leader.  If there are such steps, and none of the others can bring
 * another one of these about, it is enough to try these now, and the others after them.
 */

static bool
is_local(struct world_step step, int n)
{
	return step.n == n &&
	       (step.kind <= WORLD_ANSWER || step.kind == WORLD_CATCH_UP ||
		   step.kind == WORLD_LOSE || step.kind == WORLD_CUT_OFF ||
		   step.kind == WORLD_STOP);
}

/* If it may lose its server, it matters what of its requests is executed by then. */
static bool
may_lose_requests(struct fake_wire *wire)
{
	const struct world_faults *left = &world.faults;

	return (left->losses > 0 || left->cuts > 0 || left->stops > 0) &&
	       fake_next_change(wire) != NULL;
}

/* Is it known what its server does next?  To what is only read something may be added. */
static bool
is_next_known(const struct fake_wire *wire)
{
	return wire->applied < wire->fake->logged
		   ? wire->queued > 0 || fake_would_tell(wire)
		   : wire->queued > 0 && wire->queue[0].executed;
}

static bool
is_settled(const struct process *process)
{
	const struct world_faults *left = &world.faults;
	const int n = process_wire(process);
	struct fake_wire *wire;

	if (n == -1 || is_missing(process))
		return false;
	wire = &world.fake->wires[n];
	if (wire->over || wire->ended)
		return false;
	/* Time may pass before, if all is answered. */
	if (left->slow ||
	    (is_missing(&world.processes[!process->number]) &&
		left->thirds > 0 && (!wire->connected || wire->queued == 0)))
		return false;
	if (!wire->connected)
		return left->ends == 0 && wire->session != NULL &&
		       wire->session->alive;
	return is_next_known(wire) && !may_lose_requests(wire);
}

size_t
world_reduce(struct world_step steps[WORLD_STEPS], size_t count)
{
	size_t kept = 0, i;
	int n;

	for (n = 0; n < WORLD_PROCESSES; n++)
		if (is_settled(&world.processes[n]))
			break;
	if (n == WORLD_PROCESSES)
		return count;
	for (i = 0; i < count; i++)
		if (is_local(steps[i], n))
			steps[kept++] = steps[i];
	return kept;
}

/*
 * Steps.
 */

static void
count_down(uint8_t *left)
{
	if (*left > 0 && *left != WORLD_ANY_NUMBER)
		--*left;
}

static void
lose_server(const struct process *process)
{
	if (session_of(process)->alive)
		count_down(&world.faults.losses);
	fake_do(
	    world.fake, (struct fake_step){FAKE_LOSE, process_wire(process)});
}

static void
cut_off(struct process *process)
{
	const int n = process_wire(process);

	count_down(&world.faults.cuts);
	process->cut = true;
	if (world.fake->wires[n].connected)
		fake_do(world.fake, (struct fake_step){FAKE_LOSE, n});
}

/* Its socket is read by nobody, and time goes by that it does not notice. */
static void
stop(struct process *process)
{
	count_down(&world.faults.stops);
	process->stopped = true;
	fake_remove_loop(world.fake, process->loop);
}

/* What has come to its socket may be looked at before its timers. */
static void
come_back(struct process *process)
{
	process->cut = process->stopped = false;
	fake_add_loop(world.fake, process->loop);
	if (world.faults.cuts == 0 && world.faults.stops == 0)
		world.faults.thirds = 0;
}

static void
end_session(const struct process *process)
{
	count_down(&world.faults.ends);
	world.robbed = true;
	fake_expire(world.fake, process_wire(process));
}

static void
delete_node(const struct process *process, enum evrwlock_mode mode)
{
	const struct tree_node *node = process_node(process, mode);
	char path[TREE_PATH];

	if (node == NULL)
		return;
	fake_text(path, sizeof(path), node->path);
	fake_delete(world.fake, path);
}

static void
delete_nodes(const struct process *process)
{
	count_down(&world.faults.deletions);
	world.robbed = true;
	delete_node(process, EVRWLOCK_WRITE);
	delete_node(process, EVRWLOCK_READ);
}

static void
pass_time(void)
{
	count_down(&world.faults.thirds);
	clock_advance(THIRD_MS);
	fake_turn(world.fake);
}

static void
reap(void)
{
	count_down(&world.faults.reaps);
	fake_reap(world.fake);
}

static void
ask(struct process *process, enum evrwlock_mode mode)
{
	if (process->script != NULL)
		process->asked = *process->script++;
	process_acquire(process, mode);
}

static void
call(struct process *process, enum world_kind kind)
{
	switch (kind) {
	case WORLD_READ:
		ask(process, EVRWLOCK_READ);
		break;
	case WORLD_WRITE:
		ask(process, EVRWLOCK_WRITE);
		break;
	case WORLD_RELEASE_READ:
		process_release(process, EVRWLOCK_READ);
		break;
	case WORLD_RELEASE_WRITE:
		process_release(process, EVRWLOCK_WRITE);
		break;
	case WORLD_DOWNGRADE:
		downgrade(process);
		break;
	default:
		count_down(&world.faults.cancels);
		cancel(process);
	}
	fake_turn(world.fake);
}

static void
do_to_process(struct process *process, enum world_kind kind)
{
	/* WORLD_CONNECT and so on, in the same order. */
	static const enum fake_kind kinds[] = {
	    FAKE_CONNECT, FAKE_ANSWER, FAKE_EXECUTE, FAKE_CATCH_UP};

	if (kind < WORLD_CONNECT)
		call(process, kind);
	else if (kind < WORLD_LOSE)
		fake_do(
		    world.fake, (struct fake_step){kinds[kind - WORLD_CONNECT],
				    process_wire(process)});
	else if (kind == WORLD_LOSE)
		lose_server(process);
	else if (kind == WORLD_CUT_OFF)
		cut_off(process);
	else if (kind == WORLD_STOP)
		stop(process);
	else if (kind == WORLD_COME_BACK)
		come_back(process);
	else if (kind == WORLD_END)
		end_session(process);
	else
		delete_nodes(process);
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
		reap();
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

void
world_begin(const struct world_setting *setting)
{
	int i;

	world.fake = fake_start();
	world.numbers_run_over = world.robbed = false;
	world.faults = setting->faults;
	for (i = 0; i < WORLD_PROCESSES; i++)
		start_process(&world.processes[i], setting->scripts[i]);
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
		if (world_allows((struct world_step){WORLD_EXPIRE, (uint8_t)i}))
			fake_do(world.fake, (struct fake_step){FAKE_EXPIRE, i});
	}
	return left;
}

/* All is well for longer than anybody waits for anything. */
static void
be_well(void)
{
	int i;

	for (i = 0; i < WORLD_PROCESSES; i++)
		if (is_missing(&world.processes[i]))
			come_back(&world.processes[i]);
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
				process_release(
				    &world.processes[i], request->mode);
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
		fake_add_loop(world.fake, process->loop);
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
