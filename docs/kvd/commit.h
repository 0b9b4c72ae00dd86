/* SPDX-License-Identifier: MIT */
/*
 * The group commit: writes that come in while the disk is busy are made durable
 * together.
 *
 * Each command that writes enters the lock of the store as a writer, plans its
 * changes, adds them to the batch and leaves.  The first of a batch has asked
 * for the lock once more, for the batch: so behind all the writers that wait by
 * then, and before any reader, as the lock prefers writers.  When its turn
 * comes, the batch goes to the journal with one write and one fdatasync.  Then
 * its changes are made in their order, and each client is sent its answer, as a letter to its
 * loop (mailbox.h).  That may come before the lock is left, and does no harm, as all is
 * made by then.  A batch that was synced leaves the lock some turns of the loop later:
 * so those who write again at once have come, and are in the next one together.  If the
 * disk has an error, all of them get that, and nothing was changed.
 *
 * Nobody sees a change before it is durable, with the lock or without: until
 * then it is only planned.
 *
 * There is one batch for all loops, and who is inside the lock to write may add to
 * it.  The loop of the first in it takes it to the disk, and sends the answers of the
 * others to their loops.  It asks for the lock by a member of its own, whose turn comes
 * when all other loops whose writers wait have had theirs: so the batch has the writes
 * of all of them.
 */
#ifndef KVD_COMMIT_H
#define KVD_COMMIT_H

#include <stddef.h>
#include <stdint.h>

struct call;
struct commit;
struct loop;
struct server;
struct store_entry;
struct value;

/* NULL without memory. */
struct commit *commit_new(struct server *server);
void commit_free(struct commit *commit);

/* Makes sure that the batch is in line for the lock, by this loop or another.  0, or -1
 * without memory. */
int commit_begin(struct commit *commit, struct loop *loop);

/* How many changes the batch has. */
size_t commit_count(const struct commit *commit);

/* Plans a change: an entry that is pinned gets the value, or NULL.  Both are
 * the batch's then.  0, or -1 without memory. */
int commit_add(
    struct commit *commit, struct store_entry *entry, struct value *value);

/* Those from a number on are a command's, and all that it has: to be replayed
 * all or none.  0, or -1 without memory. */
int commit_seal(struct commit *commit, size_t begin);

/* Takes those from a number on out again. */
void commit_drop(struct commit *commit, size_t begin);

/* The call is told with the batch, through call->write. */
void commit_join(struct commit *commit, struct call *call);

/* Commands that were committed, since the start.  Any thread may ask. */
uint64_t commit_total(const struct commit *commit);

#endif
