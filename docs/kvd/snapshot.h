/* SPDX-License-Identifier: MIT */
/*
 * The snapshot: a file with all keys as they were at one moment.
 *
 * It is written in slices, with turns of the loop between them in which others
 * are served.  What makes it consistent is only that the writer of it is a
 * reader of the table, inside the lock from the first slice to the last.
 */
#ifndef KVD_SNAPSHOT_H
#define KVD_SNAPSHOT_H

#include <evdefer/deferred.h>

struct directory;
struct loop;
struct store;

/* Reads the snapshot in a directory, if there is one, into the store; removes
 * one that was not finished.  -1 after the reason was reported. */
int snapshot_load(struct directory *directory, struct store *store);

/*
 * Writes it, and empties the journal.  To be called under the lock; one at a time, and
 * another one fails with EBUSY.
 *
 * @param callback called when it is in its place.
 * @return a Deferred to wait for, with the result of the callback, or a
 *   failure.
 */
struct evresult snapshot_write(
    struct loop *loop, evdeferred_callback_fn callback, void *arg);

#endif
