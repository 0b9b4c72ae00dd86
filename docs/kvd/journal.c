/* SPDX-License-Identifier: MIT */
/*
 * The journal: every write, on the disk before it is applied.
 */
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <evdefer/base.h>
#include <evdefer/deferred.h>
#include <evdefer/threadpool.h>

#include "count.h"
#include "directory.h"
#include "file.h"
#include "record.h"
#include "report.h"
#include "store.h"

struct journal {
	int fd;
	bool sync;
	atomic_bool broken; /* set by the thread too */
	struct count size;
	bool busy; /* what is appended is not applied yet */
	struct count syncs;
	const void *records; /* that are being appended */
	size_t length;
	struct evthreadpool *disk;
	struct directory *directory;
};

/*
 * Reading it at the start.
 */

static int
refuse_file(const struct journal *journal, const char *what, uint64_t offset,
    const char *advice)
{
	report("%s/kvd.journal: %s at offset %" PRIu64 "%s",
	    journal->directory->name, what, offset, advice);
	return -1;
}

static int
refuse_unreadable(const struct journal *journal)
{
	report("%s/kvd.journal: can't read: %s", journal->directory->name,
	    strerror(errno));
	return -1;
}

/* The first line, of this version or of the one before. */
static enum record_status
read_magic(struct record_reader *reader)
{
	enum record_status status =
	    record_read_magic(reader, RECORD_JOURNAL_MAGIC);

	if (status == RECORD_GOOD)
		reader->tells_synced = true;
	if (status != RECORD_WRONG_MAGIC)
		return status;
	rewind(reader->file);
	return record_read_magic(reader, RECORD_JOURNAL_MAGIC_1);
}

/* Whether it can be opened all the same, as it ends in a write that was not
 * finished. */
static int
refuse_unless_torn(
    const struct journal *journal, const struct record_reader *reader)
{
	const uint64_t offset = reader->offset;

	switch (record_judge(reader)) {
	case RECORD_TORN:
		return 0;
	case RECORD_UNREADABLE:
		return refuse_unreadable(journal);
	case RECORD_DAMAGED_LAST:
		return refuse_file(journal, "damaged last record", offset,
		    ", which a write that was not finished does not look like; "
		    "restore the file from a backup, or cut it off there and "
		    "lose that write");
	default:
		return refuse_file(journal, "damaged record", offset,
		    "; restore the file from a backup, or cut it off there "
		    "and lose what follows");
	}
}

/* Gives the offset behind the last command that is there as a whole. */
static int
find_end(
    const struct journal *journal, struct record_reader *reader, uint64_t *end)
{
	struct record record;
	enum record_status status;

	status = read_magic(reader);
	*end = reader->offset;
	while (status == RECORD_GOOD) {
		status = record_read(reader, &record);
		if (status != RECORD_GOOD)
			break;
		if (record.type == RECORD_END)
			return refuse_file(
			    journal, "a record of a snapshot", *end, "");
		if (!record.more)
			*end = reader->offset;
	}
	switch (status) {
	case RECORD_UNREADABLE:
		return refuse_unreadable(journal);
	case RECORD_WRONG_MAGIC:
		return refuse_file(journal, "unknown first line", 0,
		    ": not a journal of this version of kvd");
	case RECORD_DAMAGED:
		return refuse_unless_torn(journal, reader);
	default:
		return 0;
	}
}

static int
apply(struct store *store, const struct record *record)
{
	if (record->type == RECORD_SET)
		return store_put(store, record->key, &record->value);
	store_put(store, record->key, NULL);
	return 0;
}

static int
replay(const struct journal *journal, struct store *store, uint64_t end)
{
	struct record_reader reader;
	struct record record;
	int result = -1;

	if (record_reader_open(&reader, journal->fd) == -1)
		return refuse_unreadable(journal);
	read_magic(&reader);
	while (reader.offset < end) {
		if (record_read(&reader, &record) != RECORD_GOOD ||
		    apply(store, &record) == -1) {
			refuse_unreadable(journal);
			goto out;
		}
	}
	result = 0;
out:
	record_reader_close(&reader);
	return result;
}

/* What is behind the last whole command was never answered. */
static int
cut_off(struct journal *journal, uint64_t end, uint64_t size)
{
	if (end == size)
		return 0;
	report("%s/kvd.journal: cutting off %" PRIu64
	       " bytes at offset %" PRIu64
	       ", the rest of a write that was not finished",
	    journal->directory->name, size - end, end);
	if (ftruncate(journal->fd, (off_t)end) == 0 &&
	    fdatasync(journal->fd) == 0)
		return 0;
	report("%s/kvd.journal: can't cut it off: %s", journal->directory->name,
	    strerror(errno));
	return -1;
}

static int
load(struct journal *journal, struct store *store)
{
	struct record_reader reader;
	uint64_t end, size;
	int result;

	if (record_reader_open(&reader, journal->fd) == -1)
		return refuse_unreadable(journal);
	result = find_end(journal, &reader, &end);
	size = reader.size;
	record_reader_close(&reader);
	if (result == -1 || cut_off(journal, end, size) == -1 ||
	    replay(journal, store, end) == -1)
		return -1;
	count_set(&journal->size, end);
	return 0;
}

/* Where somebody has deleted the lock of the directory, the journal still has
 * its own. */
static int
lock(const struct journal *journal)
{
	if (flock(journal->fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno == EWOULDBLOCK)
		report("%s/kvd.journal: another kvd uses it",
		    journal->directory->name);
	else
		report("%s/kvd.journal: can't lock: %s",
		    journal->directory->name, strerror(errno));
	return -1;
}

struct journal *
journal_open(struct directory *directory, struct store *store)
{
	struct journal *journal = calloc(1, sizeof(*journal));

	if (journal == NULL) {
		report("out of memory");
		return NULL;
	}
	journal->directory = directory;
	journal->fd =
	    directory_open_file(directory, DATA_JOURNAL, O_RDWR | O_CREAT);
	if (journal->fd == -1 || fsync(directory->fd) == -1) {
		report("%s/kvd.journal: can't open: %s", directory->name,
		    strerror(errno));
		goto failed;
	}
	if (lock(journal) == 0 && load(journal, store) == 0)
		return journal;
failed:
	journal_close(journal);
	return NULL;
}

void
journal_close(struct journal *journal)
{
	if (journal == NULL)
		return;
	if (journal->fd != -1)
		close(journal->fd);
	free(journal);
}

/*
 * Writing.
 */

static void
break_down(struct journal *journal, const char *what, int error)
{
	if (atomic_exchange(&journal->broken, true))
		return;
	report(
	    "%s/kvd.journal: %s: %s; writes are refused until kvd is restarted",
	    journal->directory->name, what, strerror(error));
}

/* After a failed fdatasync the kernel may have dropped what it could not write,
 * and a second one would succeed all the same. */
static int
sync_file(struct journal *journal)
{
	int error;

	if (fdatasync(journal->fd) == 0)
		return 0;
	error = errno;
	break_down(journal, "fdatasync", error);
	return error;
}

void
journal_start(struct journal *journal, struct evthreadpool *disk, bool sync)
{
	journal->disk = disk;
	journal->sync = sync;
	/* What a run without sync has left is durable before more follows. */
	if (sync && journal_size(journal) > 0)
		sync_file(journal);
}

/* In the thread, as the next five. */
static struct evresult
sync_job(void *arg)
{
	struct journal *journal = arg;

	return file_result(
	    journal->sync ? sync_file(journal) : 0, "fdatasync of the journal");
}

static int
write_records(struct journal *journal)
{
	static char magic[] = RECORD_JOURNAL_MAGIC;
	const struct bytes records = {journal->records, journal->length};
	struct iovec parts[2];

	parts[0].iov_base = magic;
	parts[0].iov_len = journal_size(journal) == 0 ? sizeof(magic) - 1 : 0;
	file_set_part(&parts[1], records);
	return file_write(journal->fd, parts, 2, (off_t)journal_size(journal));
}

/* Whether somebody else has written to it. */
static int
check_size(struct journal *journal)
{
	struct stat info;

	if (fstat(journal->fd, &info) == -1)
		return errno;
	if ((uint64_t)info.st_size == journal_size(journal))
		return 0;
	break_down(journal, "changed by somebody else", ESTALE);
	return ESTALE;
}

/* Whether the next start will find what is written. */
static int
check_place(struct journal *journal)
{
	const char *name = directory_find_change(journal->directory);

	if (name == NULL)
		return 0;
	report("%s/%s: deleted or replaced while kvd runs; SNAPSHOT saves what "
	       "it has in memory",
	    journal->directory->name, name);
	break_down(journal, "not to be relied on", ESTALE);
	return ESTALE;
}

/* Gives 0 or an errno code; then the file is as before, if that can be. */
static int
append(struct journal *journal)
{
	int error = check_size(journal);

	if (error != 0)
		return error;
	error = write_records(journal);
	if (error == 0 && journal->sync)
		error = sync_file(journal);
	/* The last thing before the answer. */
	if (error == 0)
		error = check_place(journal);
	if (error != 0 &&
	    ftruncate(journal->fd, (off_t)journal_size(journal)) == -1)
		break_down(journal, "can't take back a write", errno);
	return error;
}

static struct evresult
append_job(void *arg)
{
	return file_result(append(arg), "can't write the journal");
}

/* NULL without memory, and it is not done. */
static struct evdeferred *
submit(
    struct journal *journal, struct evdefer_base *base, evdeferred_body_fn job)
{
	static const struct timeval now = {0, 0};
	struct evdeferred *done;

	/* Others are served before it goes on, even if nothing is synced. */
	if (!journal->sync)
		return evdeferred_later(base, &now, job, journal);
	done = evthreadpool_defer(journal->disk, base, job, journal);
	count_add(&journal->syncs, done != NULL);
	return done;
}

static struct evresult
appended(void *value, void *arg)
{
	struct journal *journal = arg;

	if (journal_size(journal) == 0)
		count_set(&journal->size, sizeof(RECORD_JOURNAL_MAGIC) - 1);
	count_add(&journal->size, journal->length);
	return evresult_value(value);
}

static struct evresult
not_appended(struct evfailure *failure, void *arg)
{
	struct journal *journal = arg;

	journal->busy = false;
	return evresult_from_failure(failure);
}

static struct evdeferred *
refuse(struct evdefer_base *base)
{
	return evdeferred_new_fired(base,
	    evresult_fail(EROFS,
		"writes are refused since the journal could not be written to "
		"the disk; see the log and restart kvd"));
}

struct evdeferred *
journal_append(struct journal *journal, struct evdefer_base *base,
    const void *records, size_t length)
{
	struct evdeferred *done;

	if (journal_is_broken(journal))
		return refuse(base);
	/* When the records are on their way, the link must not be missing. */
	if (evdefer_base_reserve(base, 1, 3) == -1)
		return NULL;
	journal->records = records;
	journal->length = length;
	done = submit(journal, base, append_job);
	if (done == NULL)
		return NULL;
	journal->busy = true;
	evdeferred_add_callbacks(done, appended, not_appended, journal);
	return done;
}

void
journal_settle(struct journal *journal)
{
	journal->busy = false;
}

uint64_t
journal_size(const struct journal *journal)
{
	return count_get(&journal->size);
}

bool
journal_is_broken(const struct journal *journal)
{
	return atomic_load(&journal->broken);
}

bool
journal_is_settled(const struct journal *journal)
{
	return !journal->busy;
}

uint64_t
journal_syncs(const struct journal *journal)
{
	return count_get(&journal->syncs);
}

/* The file is empty by now, whatever memory there is. */
static struct evdeferred *
sync_in_loop(struct journal *journal, struct evdefer_base *base)
{
	count_add(&journal->syncs, journal->sync);
	return evdeferred_new_fired(base, sync_job(journal));
}

struct evdeferred *
journal_clear(struct journal *journal, struct evdefer_base *base)
{
	struct evdeferred *done;

	if (evdefer_base_reserve(base, 1, 1) == -1)
		return NULL;
	if (check_size(journal) != 0 || check_place(journal) != 0)
		return evdeferred_new_fired(base,
		    evresult_fail(ESTALE, "the snapshot is there, but other "
					  "files were deleted or "
					  "replaced while kvd runs; see the "
					  "log and restart kvd"));
	if (ftruncate(journal->fd, 0) == -1) {
		/* Replayed on top of the snapshot it gives the same again. */
		report("%s/kvd.journal: can't make it empty: %s",
		    journal->directory->name, strerror(errno));
		return evdeferred_new_fired(base, evresult_value(NULL));
	}
	count_set(&journal->size, 0);
	done = submit(journal, base, sync_job);
	return done != NULL ? done : sync_in_loop(journal, base);
}
