/* SPDX-License-Identifier: MIT */
/*
 * The group commit.  run() has it from top to bottom.
 */
#include "commit.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include <evdefer/base.h>
#include <evdefer/coro.h>
#include <evdefer/deferred.h>
#include <evdefer/rwlock.h>

#include "call.h"
#include "count.h"
#include "journal.h"
#include "loop.h"
#include "options.h"
#include "record.h"
#include "server.h"
#include "store.h"
#include "write.h"

/* Changes that are made in one turn of the loop. */
#define SLICE 4096
/* Turns of the loop for which a batch that was synced keeps the lock, so that the next one
 * has all those who write again at once: in the first its answers come to the clients, in
 * the second they are written, in the third come the next requests.  They would be half of
 * the next batch otherwise, and the other half of the one after, with a sync for each. */
#define GATHERING_TURNS 3
/* Memory that a batch may leave to the next one. */
#define KEEP_BYTES ((size_t)1 << 20)
#define KEEP_CHANGES ((size_t)1 << 14)

/* A change: once it is made, the value is the one that was. */
struct change {
	struct store_entry *entry;
	struct value *value;
	struct value *before; /* what was planned before it */
};

struct commit {
	struct server *server;
	struct loop *loop; /* that takes it to the disk */
	struct evcoro co;
	bool begun;   /* and not over for those in it */
	bool inside;  /* the lock */
	bool durable; /* the batch is in the journal */
	size_t slice;
	unsigned turns; /* that are left of GATHERING_TURNS */

	struct change *changes;
	size_t count;
	size_t room;
	size_t made;
	unsigned char *bytes; /* the records of all of them */
	size_t length;
	size_t capacity;
	struct call *first; /* those to answer */
	struct call **end;
	struct count total;
};

/*
 * Putting a batch together.
 */

struct commit *
commit_new(struct server *server)
{
	struct commit *commit = calloc(1, sizeof(*commit));

	if (commit == NULL)
		return NULL;
	commit->server = server;
	commit->end = &commit->first;
	/* Without the lock one by one, so that one sees what it is for. */
	commit->slice = server->options->lock ? SLICE : 1;
	return commit;
}

size_t
commit_count(const struct commit *commit)
{
	return commit->count;
}

static int
make_room_for_change(struct commit *commit)
{
	const size_t room = commit->room * 2 + 16;
	struct change *changes;

	if (commit->count < commit->room)
		return 0;
	changes = realloc(commit->changes, room * sizeof(*changes));
	if (changes == NULL)
		return -1;
	commit->changes = changes;
	commit->room = room;
	return 0;
}

int
commit_add(
    struct commit *commit, struct store_entry *entry, struct value *value)
{
	struct change *change;

	if (make_room_for_change(commit) == -1)
		return -1;
	change = &commit->changes[commit->count++];
	change->entry = entry;
	change->value = value;
	change->before = store_plan(commit->server->store, entry, value);
	return 0;
}

static struct record
record_of(const struct commit *commit, size_t index)
{
	const struct change *change = &commit->changes[index];
	struct record record = {.type = RECORD_DELETE};

	record.key = store_key(change->entry);
	record.more = index + 1 < commit->count;
	/* All that is before the batch was synced before the batch is written. */
	record.synced = index == 0 && commit->server->options->sync;
	if (change->value == NULL)
		return record;
	record.type = RECORD_SET;
	record.value.data = change->value->data;
	record.value.length = change->value->length;
	return record;
}

static int
make_room_for_bytes(struct commit *commit, size_t more)
{
	const size_t needed = commit->length + more;
	size_t capacity = commit->capacity * 2;
	unsigned char *bytes;

	if (needed <= commit->capacity)
		return 0;
	if (capacity < needed)
		capacity = needed;
	bytes = realloc(commit->bytes, capacity);
	if (bytes == NULL)
		return -1;
	commit->bytes = bytes;
	commit->capacity = capacity;
	return 0;
}

int
commit_seal(struct commit *commit, size_t begin)
{
	struct record record;
	size_t i, more = 0;

	for (i = begin; i < commit->count; i++) {
		record = record_of(commit, i);
		more += record_size(&record);
	}
	if (make_room_for_bytes(commit, more) == -1)
		return -1;
	for (i = begin; i < commit->count; i++) {
		record = record_of(commit, i);
		record_encode(&record, commit->bytes + commit->length);
		commit->length += record_size(&record);
	}
	return 0;
}

/* The last first, so that each finds what was planned before it. */
void
commit_drop(struct commit *commit, size_t begin)
{
	struct store *store = commit->server->store;
	struct change *change;

	while (commit->count > begin) {
		change = &commit->changes[--commit->count];
		store_plan(store, change->entry, change->before);
		value_unuse(change->value);
		store_unpin(store, change->entry);
	}
}

void
commit_join(struct commit *commit, struct call *call)
{
	call->write.next = NULL;
	*commit->end = call;
	commit->end = &call->write.next;
}

uint64_t
commit_total(const struct commit *commit)
{
	return count_get(&commit->total);
}

/*
 * Committing it.
 */

/* Makes some of the changes.  Gives whether there are more. */
static bool
make_changes(struct commit *commit, size_t max)
{
	struct store *store = commit->server->store;
	struct change *change;

	for (; max > 0 && commit->made < commit->count; max--) {
		change = &commit->changes[commit->made++];
		store_swap(store, change->entry, &change->value);
	}
	return commit->made < commit->count;
}

/* Others are served before it goes on. */
static struct evdeferred *
next_turn(struct commit *commit)
{
	static const struct timeval now = {0, 0};

	return evdeferred_later(commit->loop->base, &now, NULL, NULL);
}

static struct call *
take_first(struct commit *commit)
{
	struct call *call = commit->first;

	if (call == NULL)
		return NULL;
	commit->first = call->write.next;
	if (commit->first == NULL)
		commit->end = &commit->first;
	return call;
}

/* By letters, each to its loop.  This one comes to its own in a later turn, others perhaps
 * before that: the lock is held a little longer. */
static void
answer(struct commit *commit, const struct evfailure *failure)
{
	struct call *call;

	while ((call = take_first(commit)) != NULL) {
		if (failure == NULL)
			count_add(&commit->total, call->write.commands);
		write_settle(call, failure);
	}
}

/* The values that were, and memory that only such a batch needs. */
static void
release(struct commit *commit)
{
	struct store *store = commit->server->store;
	size_t i;

	for (i = 0; i < commit->count; i++) {
		value_unuse(commit->changes[i].value);
		store_unpin(store, commit->changes[i].entry);
	}
	commit->count = 0;
	commit->made = 0;
	commit->length = 0;
	if (commit->room > KEEP_CHANGES) {
		free(commit->changes);
		commit->changes = NULL;
		commit->room = 0;
	}
	if (commit->capacity > KEEP_BYTES) {
		free(commit->bytes);
		commit->bytes = NULL;
		commit->capacity = 0;
	}
}

/* What is in the journal is made, come what may. */
static void
end(struct commit *commit, const struct evfailure *failure)
{
	if (commit->durable) {
		make_changes(commit, SIZE_MAX);
		journal_settle(commit->server->journal);
		failure = NULL;
	} else if (failure != NULL) {
		commit_drop(commit, 0);
	}
	commit->durable = false;
	commit->begun = false;
	release(commit);
	answer(commit, failure);
}

static struct evresult
run(struct evcoro *co, void *arg)
{
	struct commit *commit = arg;
	struct server *server = commit->server;

	EVCORO_BEGIN(co);
	EVCORO_AWAIT(co, evrwlock_writer_acquire(commit->loop->batch_lock));
	commit->inside = true;
	if (commit->count > 0) {
		EVCORO_AWAIT(
		    co, journal_append(server->journal, commit->loop->base,
			    commit->bytes, commit->length));
		commit->durable = true;
	}
	while (make_changes(commit, commit->slice))
		EVCORO_AWAIT(co, next_turn(commit));
	commit->turns =
	    commit->durable && server->options->sync ? GATHERING_TURNS : 0;
	end(commit, NULL);
	while (commit->turns-- > 0)
		EVCORO_AWAIT(co, next_turn(commit));

	EVCORO_FINALLY(co);
	if (commit->begun)
		end(commit, evcoro_failure(co));
	EVCORO_END(co);
}

/* Not before the coroutine has ended: the next batch may begin from inside. */
static struct evresult
leave(struct evresult result, void *arg)
{
	struct commit *commit = arg;
	const bool inside = commit->inside;

	(void)result; /* if it is a failure, those in the batch were told */
	commit->inside = false;
	if (inside)
		evrwlock_writer_release(commit->loop->batch_lock);
	return evresult_value(NULL);
}

int
commit_begin(struct commit *commit, struct loop *loop)
{
	struct evdeferred *done;

	if (commit->begun)
		return 0;
	/* For the coroutine, the acquire, and leave(). */
	if (evdefer_base_reserve(loop->base, 2, 4) == -1)
		return -1;
	commit->begun = true;
	commit->loop = loop;
	done = evcoro_start(loop->base, &commit->co, run, commit, NULL);
	if (done == NULL) {
		commit->begun = false;
		return -1;
	}
	evdeferred_add_both(done, leave, commit);
	evdeferred_detach(done);
	return commit->begun ? 0 : -1;
}

void
commit_free(struct commit *commit)
{
	if (commit == NULL)
		return;
	free(commit->changes);
	free(commit->bytes);
	free(commit);
}
