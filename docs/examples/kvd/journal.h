/* SPDX-License-Identifier: MIT */
/*
 * The journal: every write, on the disk before it is applied.
 *
 * A record that can't be written is cut off again, as if it had never been.
 * Where that fails, or an fdatasync does, nobody knows what the disk has: then
 * all further writes are refused until a restart has read what is there.
 */
#ifndef KVD_JOURNAL_H
#define KVD_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "record.h"
#include "worker.h"

struct evdefer_base;
struct evdeferred;
struct journal;
struct store;

/*
 * Opens the journal in a directory, and applies to the store what it holds.
 * A last command that was not written to its end is cut off.
 *
 * @return the journal; NULL after the reason was reported.
 */
struct journal *journal_open(
    int directory, const char *directory_name, struct store *store);

/* From here on it can write.  The worker and the base stay the caller's. */
void journal_start(struct journal *journal, struct worker *worker,
    struct evdefer_base *base, bool sync);

void journal_close(struct journal *journal);

/* A command that writes one or more records; memory of the caller's. */
struct journal_command {
	struct job job;
	uint64_t begin;	 /* offset of its first record */
	uint64_t length; /* of all its records */
};

void journal_begin(struct journal *journal, struct journal_command *command);

/*
 * Appends a record.
 *
 * @return a Deferred that is the caller's and fires from the loop when the
 *   record is durable, or, without sync, in the next turn; or that has failed
 *   because the record could not be written, and is not in the journal.  One
 *   at a time for each command.  NULL with errno ENOMEM, nothing written.
 */
struct evdeferred *journal_write(struct journal *journal,
    struct journal_command *command, const struct record *record);

/* Takes all records of the command out again, unless others have followed. */
void journal_take_back(
    struct journal *journal, const struct journal_command *command);

/* Its records are applied, or taken back. */
void journal_end(struct journal *journal);

/* How many bytes it has. */
uint64_t journal_size(const struct journal *journal);

/* Whether writes are refused for good. */
bool journal_is_broken(const struct journal *journal);

/* Whether all that was written has been applied too. */
bool journal_is_settled(const struct journal *journal);

/*
 * Makes it empty, because all of it is in the snapshot.
 *
 * @return a Deferred that is the caller's and fires from the loop when that is
 *   durable; NULL with errno ENOMEM, nothing done.
 */
struct evdeferred *journal_clear(struct journal *journal, struct job *job);

#endif
