/* SPDX-License-Identifier: MIT */
/*
 * The journal: every write, on the disk before it is applied.
 *
 * A record that can't be written is cut off again, as if it had never been.
 * If that fails, or an fdatasync does, nobody knows what the disk has: then all
 * further writes are refused until a restart has read what is there.  They are also
 * refused when a file of the directory has been replaced, or somebody else has written
 * to the journal: what was promised before may be lost, and nothing more is promised.
 */
#ifndef KVD_JOURNAL_H
#define KVD_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct directory;
struct evdefer_base;
struct evdeferred;
struct evthreadpool;
struct journal;
struct store;

/*
 * Opens the journal in a directory, and applies to the store what it holds.
 * A last command that was not written to its end is cut off.
 *
 * @return the journal; NULL after the reason was reported.
 */
struct journal *journal_open(struct directory *directory, struct store *store);

/* From here on it can write.  The thread for that stays the caller's. */
void journal_start(
    struct journal *journal, struct evthreadpool *disk, bool sync);

void journal_close(struct journal *journal);

/*
 * Appends records, which have to stay where they are meanwhile.  One at a time: it
 * takes the lock to write.
 *
 * @return a Deferred of the base that is the caller's and fires from the loop when they are
 *   durable, or, without sync, in a later turn; or with a failure, and they are
 *   not in the journal.  NULL with errno ENOMEM, nothing begun.
 */
struct evdeferred *journal_append(struct journal *journal,
    struct evdefer_base *base, const void *records, size_t length);

/* What was appended has been applied. */
void journal_settle(struct journal *journal);

/* How many bytes it has.  Any thread may ask, as for the two that follow. */
uint64_t journal_size(const struct journal *journal);

/* Whether writes are refused for good. */
bool journal_is_broken(const struct journal *journal);

/* How often it was synced since the start. */
uint64_t journal_syncs(const struct journal *journal);

/* Whether all that was written has been applied too. */
bool journal_is_settled(const struct journal *journal);

/*
 * Makes it empty, because all of it is in the snapshot.  Nobody may append meanwhile.
 *
 * @return a Deferred of the base that is the caller's and fires from the loop when that is
 *   durable; NULL with errno ENOMEM, nothing done.
 */
struct evdeferred *journal_clear(
    struct journal *journal, struct evdefer_base *base);

#endif
