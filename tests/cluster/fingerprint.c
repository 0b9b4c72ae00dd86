/* SPDX-License-Identifier: MIT */
/*
 * A number for the state of a world: of all that has a part in what comes next.
 *
 * What only grows (sessions, numbers of nodes, versions, time) counts by its distance
 * from now, so that a way that leads back to where it began is seen to.
 */
#include <ctype.h>
#include <string.h>
#include <sys/time.h>

#include <event2/event.h>

#include "processes.h"

#define SESSION_DIGITS 16
#define LONG_AGO 100000

static uint64_t hash;

static void
mix(uint64_t word)
{
	hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	hash ^= hash >> 29;
}

static void
mix_bits(unsigned count, const bool *bits)
{
	uint64_t word = 1;

	while (count-- > 0)
		word = word << 1 | *bits++;
	mix(word);
}

#define MIX_BITS(...)                                                          \
	mix_bits(                                                              \
	    sizeof((const bool[]){__VA_ARGS__}), (const bool[]){__VA_ARGS__})

/* Which of those that there are. */
static void
mix_session(uint64_t id)
{
	uint64_t i;

	for (i = 0; i < FAKE_SESSIONS; i++)
		if (id != 0 && world.fake->sessions[i].id == id)
			break;
	mix(i);
}

/* How long ago, or from now on. */
static void
mix_time(int64_t then)
{
	int64_t past = fake_now() - then;

	if (then == 0 || past > LONG_AGO)
		past = LONG_AGO;
	mix((uint64_t)(past + LONG_AGO));
}

static uint64_t
read_digits(const char *text, size_t count, unsigned base)
{
	uint64_t value = 0;

	for (; count-- > 0; text++)
		value =
		    value * base +
		    (uint64_t)(*text <= '9' ? *text - '0' : *text - 'a' + 10);
	return value;
}

static size_t
count_digits(const char *text)
{
	size_t count = 0;

	while (isxdigit((unsigned char)text[count]))
		count++;
	return count;
}

static void
mix_path(const char *path)
{
	const struct tree_node *lock = fake_find(world.fake, "/evdefer/x");
	const uint64_t next = lock != NULL ? (uint64_t)lock->children : 0;
	size_t digits;

	while (*path != '\0') {
		digits = count_digits(path);
		if (digits == SESSION_DIGITS)
			mix_session(read_digits(path, digits, 16));
		else if (digits == 10)
			mix(next - read_digits(path, digits, 10));
		else
			digits = 0;
		if (digits == 0)
			mix((unsigned char)*path++);
		path += digits;
	}
	mix(0);
}

/*
 * The servers.
 */

static void
mix_tree(struct fake *fake)
{
	size_t i;

	mix(fake->tree.count);
	for (i = 0; i < fake->tree.count; i++) {
		const struct tree_node *node = &fake->tree.nodes[i];

		mix_path(node->path);
		mix_session(node->owner);
		MIX_BITS(node->container, node->children != 0);
	}
}

static void
mix_request(const struct fake_request *request)
{
	mix(request->op);
	mix_path(request->path);
	mix_path(request->touched);
	mix_path(request->left);
	MIX_BITS(request->watch, request->numbered, request->executed);
	mix(request->error);
	if (request->executed)
		mix(world.fake->logged - request->after);
}

static void
mix_transaction(const struct tree_transaction *transaction)
{
	size_t i;

	mix_session(transaction->ended);
	for (i = 0; i < transaction->count; i++) {
		mix(transaction->changes[i].kind);
		mix_path(transaction->changes[i].path);
	}
	mix(i);
}

/* In no order. */
static void
mix_watches(const struct fake_wire *wire)
{
	const uint64_t before = hash;
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < wire->watched; i++) {
		hash = 0;
		mix_path(wire->watches[i]);
		sum += hash;
	}
	hash = before;
	mix(sum);
}

static void
mix_wire(const struct fake_wire *wire)
{
	size_t i;

	MIX_BITS(wire->connected, wire->over, wire->ended, wire->dropping);
	mix_session(wire->session != NULL ? wire->session->id : 0);
	for (i = 0; i < wire->queued; i++)
		mix_request(&wire->queue[i]);
	mix_watches(wire);
	if (wire->session == NULL)
		return;
	mix(world.fake->logged - wire->applied);
	for (i = wire->applied; i < world.fake->logged; i++)
		mix_transaction(&world.fake->log[i % FAKE_LOG]);
}

static void
mix_server_session(const struct fake_session *session)
{
	size_t i;

	if (session->id == 0 || (!session->alive && !session->wired))
		return;
	MIX_BITS(session->alive, session->wired);
	if (session->alive)
		mix_time(session->touched_ms);
	for (i = 0; i < session->late_count; i++)
		mix_request(&session->late[i]);
	mix(i);
}

/*
 * The processes.
 */

static void
mix_timer(const struct event *timer)
{
	struct timeval at, now;

	if (!event_pending(timer, EV_TIMEOUT, &at)) {
		mix(0);
		return;
	}
	gettimeofday(&now, NULL);
	mix((uint64_t)((at.tv_sec - now.tv_sec) * 1000 +
		       (at.tv_usec - now.tv_usec) / 1000 + LONG_AGO));
}

static void
mix_cluster(const struct evcluster *cluster)
{
	mix(cluster->aim);
	mix(cluster->state);
	mix_session(cluster->session);
	mix_time(cluster->deadline);
	if (cluster->state != EVCLUSTER_CONNECTED)
		mix_time(cluster->since);
	mix_time(cluster->leave_until);
	mix_time(cluster->probed);
	mix(cluster->due);
	if (cluster->due > 0)
		mix_time(cluster->heard);
	MIX_BITS(cluster->probing, cluster->dropped, cluster->wire != NULL,
	    cluster->resolver != NULL);
	mix_timer(cluster->timer);
}

static void
mix_seat(const struct evseat *seat)
{
	mix(seat->need.right);
	mix(seat->need.reading);
	mix(seat->need.readers);
	mix(seat->right);
	mix(seat->turns);
	mix(seat->step);
	mix(seat->pending);
	mix(seat->error);
	mix_path(seat->writer.name);
	mix_path(seat->in_the_way);
	mix_path(seat->own_watched);
	mix_path(seat->reader.name);
	mix(seat->seen);
	mix(seat->looking);
	MIX_BITS(seat->need.writing, seat->need.first, seat->recalled,
	    seat->lowered, seat->discarded, seat->ready, seat->member,
	    seat->reads, seat->writes, seat->unsure, seat->writer_token != 0,
	    seat->reader_token != 0, seat->watching, seat->missed,
	    seat->pausing, seat->own_pending, seat->rootless);
	mix(seat->leaves);
	mix(seat->takes);
	mix(seat->moment);
	mix(seat->root_made);
}

/* It matters only which one is higher. */
static void
mix_tokens(const struct evseat *seat)
{
	const uint64_t own[] = {
	    seat->token, seat->writer_token, seat->reader_token};
	size_t i, j;

	for (i = 0; i < sizeof(own) / sizeof(*own); i++)
		for (j = 0; j < WORLD_PROCESSES; j++)
			MIX_BITS(own[i] > world.processes[j].write_token,
			    own[i] >= world.processes[j].write_token,
			    own[i] > world.processes[j].read_token,
			    own[i] >= world.processes[j].read_token,
			    own[i] > world.processes[j].lost_token);
}

static void
mix_process(const struct process *process)
{
	const struct request *requests = process->requests;
	int i;

	for (i = 0; i < WORLD_REQUESTS; i++) {
		mix(requests[i].phase);
		if (requests[i].phase == IDLE)
			continue;
		mix(requests[i].mode);
		MIX_BITS(
		    requests[i].lost, requests[i].serial > requests[!i].serial);
		if (requests[i].phase == HOLDING)
			mix(requests[i].session == process->cluster->session);
	}
	mix_cluster(process->cluster);
	if (process_seat(process) != NULL) {
		mix_seat(process_seat(process));
		mix_tokens(process_seat(process));
	}
	MIX_BITS(process->cut, process->stopped);
	mix(process->script != NULL ? strlen(process->script) : 0);
}

static void
mix_faults(const struct world_faults *left)
{
	mix((uint64_t)left->cancels | (uint64_t)left->losses << 8 |
	    (uint64_t)left->cuts << 16 | (uint64_t)left->stops << 24);
	mix((uint64_t)left->ends | (uint64_t)left->thirds << 8 |
	    (uint64_t)left->deletions << 16 | (uint64_t)left->reaps << 24);
	mix((uint64_t)world.robbed);
}

uint64_t
world_fingerprint(void)
{
	size_t i;

	hash = 0;
	mix_tree(world.fake);
	for (i = 0; i < FAKE_WIRES; i++)
		if (world.fake->wires[i].opened != 0)
			mix_wire(&world.fake->wires[i]);
	for (i = 0; i < FAKE_SESSIONS; i++)
		mix_server_session(&world.fake->sessions[i]);
	for (i = 0; i < WORLD_PROCESSES; i++)
		mix_process(&world.processes[i]);
	mix_faults(&world.faults);
	mix(world.processes[0].write_token > world.processes[1].write_token);
	for (i = 0; i < WORLD_PROCESSES; i++)
		mix(world.processes[i].write_token >
		    world.processes[i].lost_token);
	return hash;
}
