/* SPDX-License-Identifier: MIT */
#include "judge.h"

#include <stdio.h>
#include <string.h>

/* Was the node taken from it by which it is inside?  Then others may enter before it hears
 * of that. */
static bool
is_robbed(const struct request *request)
{
	return world.robbed &&
	       process_node(request->process, EVRWLOCK_WRITE) == NULL &&
	       (request->mode == EVRWLOCK_WRITE ||
		   process_node(request->process, EVRWLOCK_READ) == NULL);
}

static bool
is_live(const struct request *request)
{
	struct evrwlock_stats stats;

	if (request->phase != HOLDING || request->lost ||
	    !process_is_sure(request->process) || is_robbed(request))
		return false;
	evrwlock_get_stats(request->process->lock, &stats);
	return !stats.lost;
}

/* How many of a process are inside, and writers among them. */
struct count {
	int inside, writers, live, live_writers, waiting;
};

static struct count
count(const struct process *process)
{
	struct count count = {0};
	int i;

	for (i = 0; i < WORLD_REQUESTS; i++) {
		const struct request *request = &process->requests[i];
		const bool writes = request->mode == EVRWLOCK_WRITE;

		count.inside += request->phase == HOLDING;
		count.writers += request->phase == HOLDING && writes;
		count.live += is_live(request);
		count.live_writers += is_live(request) && writes;
		count.waiting += request->phase == WAITING;
	}
	return count;
}

/* Also that of one who has gone from writing to reading. */
static void
note_read_token(struct process *process, const struct count *count)
{
	const uint64_t token = evrwlock_get_token(process->lock);

	if (count->live > count->live_writers && process->read_token < token)
		process->read_token = token;
}

void
judge_now(void)
{
	const struct count a = count(&world.processes[0]);
	const struct count b = count(&world.processes[1]);

	if ((a.writers > 0 && a.inside > 1) || (b.writers > 0 && b.inside > 1))
		world_failed("a writer is not alone in its process");
	if ((a.live_writers > 0 && b.live > 0) ||
	    (b.live_writers > 0 && a.live > 0))
		world_failed("a writer is not alone");
	note_read_token(&world.processes[0], &a);
	note_read_token(&world.processes[1], &b);
}

static void
judge_reader(struct process *process, uint64_t token)
{
	const struct process *other = &world.processes[!process->number];

	if (token < other->write_token || token < process->write_token)
		world_failed(
		    "a reader's token is lower than a writer's before");
}

static void
judge_writer(struct process *process, uint64_t token)
{
	const struct process *other = &world.processes[!process->number];

	if (token == 0)
		world_failed("somebody writes without a token");
	if (token <= other->write_token || token <= other->read_token ||
	    token < process->read_token)
		world_failed("a token is not higher than those before");
	if (token < process->write_token || token <= process->lost_token)
		world_failed("a token is lower than one before");
	process->write_token = token;
}

void
judge_grant(struct request *request)
{
	const uint64_t token = evrwlock_get_token(request->process->lock);

	if (is_robbed(request))
		return;
	if (request->mode == EVRWLOCK_WRITE)
		judge_writer(request->process, token);
	else
		judge_reader(request->process, token);
}

void
judge_waits(void)
{
	const struct count a = count(&world.processes[0]);
	const struct count b = count(&world.processes[1]);
	int i, j;

	if ((a.waiting > 0 && a.inside == 0 && b.live == 0 &&
		(b.inside == 0 || b.waiting == 0)) ||
	    (b.waiting > 0 && b.inside == 0 && a.live == 0 &&
		(a.inside == 0 || a.waiting == 0)))
		world_failed("somebody waits for nothing");
	for (i = 0; i < WORLD_PROCESSES; i++)
		for (j = 0; j < WORLD_REQUESTS; j++) {
			const struct request *request =
			    &world.processes[i].requests[j];

			if (request->phase == HOLDING && !request->lost &&
			    (request->session !=
				    world.processes[i].cluster->session ||
				is_robbed(request)))
				world_failed("a loss was not told");
		}
}

/* Is it what a process may keep: the right to read, and that it has the lock open? */
static bool
may_stay(const struct tree_node *node)
{
	const char *name = strrchr(node->path, '/') + 1;
	bool wired = false;
	size_t i;

	for (i = 0; i < FAKE_SESSIONS; i++)
		wired |= world.fake->sessions[i].id == node->owner &&
			 world.fake->sessions[i].wired;
	if (!wired || name[0] == 'm')
		return wired;
	for (i = 0; i < WORLD_PROCESSES; i++)
		if (world.processes[i].cluster->session == node->owner)
			return name[0] == 'r' &&
			       process_seat(&world.processes[i])->right ==
				   EVRIGHT_READ;
	return false;
}

void
judge_idle(void)
{
	size_t i;

	if (count(&world.processes[0]).waiting > 0 ||
	    count(&world.processes[1]).waiting > 0)
		world_failed("somebody waits though nobody is inside");
	for (i = 0; i < world.fake->tree.count; i++)
		if (world.fake->tree.nodes[i].owner != 0 &&
		    !may_stay(&world.fake->tree.nodes[i]))
			world_failed("a node was left behind");
}

void
judge_gone(void)
{
	size_t i;

	for (i = 0; i < FAKE_WIRES; i++)
		if (world.fake->wires[i].opened != 0)
			world_failed("a wire was left open");
	for (i = 0; i < world.fake->tree.count; i++)
		if (world.fake->tree.nodes[i].owner != 0)
			world_failed("a node is left after all");
}

static void
describe_process(const struct process *process)
{
	static const char *const phases[] = {"", "waits", "is inside"};
	static const char *const rights[] = {"none", "read", "write"};
	static const char *const states[] = {
	    "closed", "connecting", "connected", "suspended", "expired"};
	const struct evseat *seat = process_seat(process);
	int i;

	printf("    %c: %s, right %s%s, step %d, pending %u%s%s%s%s%s%s%s\n",
	    'A' + process->number, states[process->cluster->state],
	    rights[seat->right], process_is_sure(process) ? "" : " (not sure)",
	    (int)seat->step, seat->pending, seat->reads ? " reads" : "",
	    seat->writes ? " writes" : "", seat->unsure ? " unsure" : "",
	    seat->seen != EVSEAT_UNSEEN ? " has seen" : "",
	    seat->recalled ? " recalled" : "",
	    seat->discarded ? " discarded" : "",
	    seat->pausing ? " pausing" : "");
	for (i = 0; i < WORLD_REQUESTS; i++)
		if (process->requests[i].phase != IDLE)
			printf("       one %s to %s%s\n",
			    phases[process->requests[i].phase],
			    process->requests[i].mode == EVRWLOCK_READ
				? "read"
				: "write",
			    process->requests[i].lost ? ", lost" : "");
}

static void
describe_queue(const struct fake_wire *wire)
{
	static const char *const ops[FAKE_OPS] = {"sync", "list", "exists",
	    "get", "create", "line_up", "remove", "close"};
	size_t i;

	printf("    wire of %c:%s lags by %zu:",
	    wire->setting.arg == world.processes[0].cluster ? 'A' : 'B',
	    wire->connected ? "" : " no server,",
	    world.fake->logged - wire->applied);
	for (i = 0; i < wire->queued; i++)
		printf(" %s%s", ops[wire->queue[i].op],
		    wire->queue[i].executed ? " (executed)" : "");
	printf("\n");
}

void
judge_describe(void)
{
	size_t i;

	for (i = 0; i < WORLD_PROCESSES; i++)
		describe_process(&world.processes[i]);
	for (i = 0; i < FAKE_WIRES; i++)
		if (world.fake->wires[i].opened != 0)
			describe_queue(&world.fake->wires[i]);
	for (i = 0; i < world.fake->tree.count; i++)
		if (world.fake->tree.nodes[i].owner != 0)
			printf("    %s\n", world.fake->tree.nodes[i].path);
}
