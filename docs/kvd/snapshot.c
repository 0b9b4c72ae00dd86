/* SPDX-License-Identifier: MIT */
/*
 * The snapshot: a file with all keys as they were at one moment.
 *
 * Writing it takes many waits, some of them in a loop.  That is a coroutine,
 * write_snapshot(): read it first.
 */
#include "snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <evdefer/base.h>
#include <evdefer/coro.h>
#include <evdefer/deferred.h>
#include <evdefer/threadpool.h>

#include "directory.h"
#include "file.h"
#include "journal.h"
#include "loop.h"
#include "options.h"
#include "record.h"
#include "report.h"
#include "server.h"
#include "store.h"

#define NAME "kvd.snapshot"
#define TEMPORARY "kvd.snapshot.tmp"
#define FAILED "can't write the snapshot"
/* Small enough for the others not to notice the copying of it. */
#define SLICE 65536

/* The state of the coroutine: what outlasts a wait. */
struct snapshot {
	struct evcoro co;
	struct loop *loop;
	struct server *server;
	int fd; /* of the temporary file, as long as there is one */
	uint64_t offset;
	uint64_t count;
	unsigned char *slice;
	size_t used;
	size_t capacity;
	bool complete; /* the end record is in the slice */
	bool in_place; /* and durable: nothing can fail but the journal */
	/* The journal holds nothing but what the snapshot has. */
	bool covers_journal;
	uint64_t journal_size;
};

/*
 * Loading.
 */

static int
refuse(const char *directory, const char *why, uint64_t offset)
{
	report("%s/" NAME ": %s at offset %" PRIu64
	       "; restore the file from a backup",
	    directory, why, offset);
	return -1;
}

/* After the last record of all. */
static int
check_end(struct record_reader *reader, const struct record *end,
    const char *directory, uint64_t count)
{
	if (record_decode_count(end->value) != count ||
	    reader->offset != reader->size)
		return refuse(
		    directory, "wrong end of the snapshot", reader->offset);
	return 0;
}

static int
load(struct record_reader *reader, const char *directory, struct store *store)
{
	struct record record;
	enum record_status status;
	uint64_t count;

	status = record_read_magic(reader, RECORD_SNAPSHOT_MAGIC);
	if (status == RECORD_WRONG_MAGIC)
		return refuse(
		    directory, "not a snapshot of this version of kvd", 0);
	for (count = 0; status == RECORD_GOOD; count++) {
		status = record_read(reader, &record);
		if (status != RECORD_GOOD)
			break;
		if (record.type == RECORD_END)
			return check_end(reader, &record, directory, count);
		if (record.type != RECORD_SET)
			return refuse(
			    directory, "a record of a journal", reader->offset);
		if (store_put(store, record.key, &record.value) == -1) {
			status = RECORD_UNREADABLE;
			break;
		}
	}
	if (status != RECORD_UNREADABLE)
		return refuse(directory,
		    status == RECORD_DAMAGED ? "damaged record" : "cut off",
		    reader->offset);
	report("%s/" NAME ": can't read: %s", directory, strerror(errno));
	return -1;
}

int
snapshot_load(struct directory *directory, struct store *store)
{
	const char *name = directory->name;
	struct record_reader reader;
	int fd, result = -1;

	if (unlinkat(directory->fd, TEMPORARY, 0) == -1 && errno != ENOENT) {
		report("%s/" TEMPORARY ": can't remove: %s", name,
		    strerror(errno));
		return -1;
	}
	fd = directory_open_file(directory, DATA_SNAPSHOT, O_RDONLY);
	if (fd == -1 && errno == ENOENT)
		return 0;
	if (fd != -1 && record_reader_open(&reader, fd) == 0) {
		result = load(&reader, name, store);
		record_reader_close(&reader);
	} else {
		report("%s/" NAME ": can't open: %s", name, strerror(errno));
	}
	if (fd != -1)
		close(fd);
	return result;
}

/*
 * Writing: the slices, in memory.
 */

static int
add_record(struct snapshot *snapshot, const struct record *record)
{
	const size_t needed = snapshot->used + record_size(record);
	unsigned char *slice;

	if (needed > snapshot->capacity) {
		slice = realloc(snapshot->slice, needed + SLICE);
		if (slice == NULL)
			return -1;
		snapshot->slice = slice;
		snapshot->capacity = needed + SLICE;
	}
	record_encode(record, snapshot->slice + snapshot->used);
	snapshot->used = needed;
	return 0;
}

static int
add_end(struct snapshot *snapshot)
{
	unsigned char count[RECORD_COUNT];
	struct record record = {.type = RECORD_END};

	record_encode_count(snapshot->count, count);
	record.value.data = (const char *)count;
	record.value.length = sizeof(count);
	snapshot->complete = true;
	return add_record(snapshot, &record);
}

static int
fill_slice(struct snapshot *snapshot)
{
	const struct store_entry *entry;
	struct record record = {.type = RECORD_SET};

	snapshot->used = 0;
	while (snapshot->used < SLICE) {
		entry = store_walk_next(snapshot->server->store, &record.value);
		if (entry == NULL)
			return add_end(snapshot);
		record.key = store_key(entry);
		if (add_record(snapshot, &record) == -1)
			return -1;
		snapshot->count++;
	}
	return 0;
}

/*
 * Writing: what the thread does.  The loop leaves the snapshot alone meanwhile.
 */

static int
write_slice(struct snapshot *snapshot)
{
	static char magic[] = RECORD_SNAPSHOT_MAGIC;
	struct iovec parts[2];
	int error;

	parts[0].iov_base = magic;
	parts[0].iov_len = snapshot->offset == 0 ? sizeof(magic) - 1 : 0;
	parts[1].iov_base = snapshot->slice;
	parts[1].iov_len = snapshot->used;
	error = file_write(snapshot->fd, parts, 2, (off_t)snapshot->offset);
	snapshot->offset +=
	    snapshot->used + (snapshot->offset == 0 ? sizeof(magic) - 1 : 0);
	return error;
}

static struct evresult
write_job(void *arg)
{
	return file_result(write_slice(arg), FAILED);
}

/* After the last slice. */
static int
put_in_place(struct snapshot *snapshot)
{
	struct directory *directory = &snapshot->server->directory;
	const int fd = snapshot->fd;
	int error;

	if (fsync(fd) == -1)
		return errno;
	error = directory_replace(directory, DATA_SNAPSHOT, fd, TEMPORARY);
	if (error != 0)
		return error;
	snapshot->fd = -1;
	close(fd);
	return fsync(directory->fd) == -1 ? errno : 0;
}

static struct evresult
rename_job(void *arg)
{
	return file_result(put_in_place(arg), FAILED);
}

/* Fires in a later turn of the loop: here is where others are served. */
static struct evdeferred *
run_job(struct snapshot *snapshot, evdeferred_body_fn job)
{
	return evthreadpool_defer(
	    snapshot->server->disk, snapshot->loop->base, job, snapshot);
}

/*
 * Writing: the whole of it.
 */

static int
begin(struct snapshot *snapshot)
{
	struct server *server = snapshot->server;

	snapshot->covers_journal = journal_is_settled(server->journal);
	snapshot->journal_size = journal_size(server->journal);
	if (!directory_is_ours(&server->directory)) {
		errno = ESTALE;
		return -1;
	}
	snapshot->fd = openat(server->directory.fd, TEMPORARY,
	    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	return snapshot->fd == -1 ? -1 : 0;
}

/* A reader inside the lock keeps writers out, so that all of the journal is in the
 * snapshot.  With --no-lock some of it may not be. */
static bool
journal_is_covered(const struct snapshot *snapshot)
{
	struct journal *journal = snapshot->server->journal;

	return snapshot->covers_journal && journal_is_settled(journal) &&
	       journal_size(journal) == snapshot->journal_size &&
	       !journal_is_broken(journal);
}

/* However it ended. */
static void
end(struct snapshot *snapshot, const struct evfailure *failure)
{
	struct server *server = snapshot->server;

	/* The journal reports its failures itself. */
	if (failure != NULL && !snapshot->in_place)
		report("%s/" NAME ": %s", server->options->dir,
		    evfailure_get_message(failure));
	if (snapshot->fd != -1) {
		close(snapshot->fd);
		unlinkat(server->directory.fd, TEMPORARY, 0);
	}
	store_walk_end(server->store);
	atomic_store(&server->snapshot_is_running, false);
	free(snapshot->slice);
}

/* The lock is the caller's, from before this until after it. */
static struct evresult
write_snapshot(struct evcoro *co, void *arg)
{
	struct snapshot *snapshot = arg;

	EVCORO_BEGIN(co);
	if (begin(snapshot) == -1)
		EVCORO_RETURN(evresult_fail(
		    errno, "can't begin a snapshot: %s", strerror(errno)));
	while (!snapshot->complete) {
		if (fill_slice(snapshot) == -1)
			EVCORO_RETURN(evresult_fail(ENOMEM, "out of memory"));
		EVCORO_AWAIT(co, run_job(snapshot, write_job));
	}
	EVCORO_AWAIT(co, run_job(snapshot, rename_job));
	snapshot->in_place = true;
	/* If that fails, it is no failure of the snapshot, but whoever asked
	 * for it should hear of it. */
	if (journal_is_covered(snapshot))
		EVCORO_AWAIT(co, journal_clear(snapshot->server->journal,
				     snapshot->loop->base));

	EVCORO_FINALLY(co);
	end(snapshot, evcoro_failure(co));
	EVCORO_END(co);
}

struct evresult
snapshot_write(struct loop *loop, evdeferred_callback_fn callback, void *arg)
{
	struct server *server = loop->server;
	struct snapshot *snapshot;
	struct evdeferred *done;

	if (atomic_exchange(&server->snapshot_is_running, true))
		return evresult_fail(
		    EBUSY, "a snapshot is being written already");
	snapshot = calloc(1, sizeof(*snapshot));
	/* A coroutine needs a Deferred and a link; one more for the callback.
	 */
	if (snapshot == NULL || evdefer_base_reserve(loop->base, 1, 2) == -1) {
		atomic_store(&server->snapshot_is_running, false);
		free(snapshot);
		return evresult_fail(ENOMEM, "out of memory");
	}
	snapshot->loop = loop;
	snapshot->server = server;
	snapshot->fd = -1;
	store_walk_begin(server->store);
	done = evcoro_start(
	    loop->base, &snapshot->co, write_snapshot, snapshot, free);
	evdeferred_add_callback(done, callback, arg);
	return evresult_deferred(done);
}
