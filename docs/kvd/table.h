/* SPDX-License-Identifier: MIT */
/*
 * uthash, with a hash that clients can't know.
 *
 * Its own hash is the same everywhere: whoever chooses keys can choose them so that
 * all are in one chain, and after some hundred of these uthash never makes the table
 * longer again.  This one is SipHash with a key of the process's own, so that nobody
 * outside can tell which keys meet.
 */
#ifndef KVD_TABLE_H
#define KVD_TABLE_H

#include <stddef.h>

/* Makes the key, before the first table.  0, or -1 with errno. */
int table_init(void);

unsigned table_hash(const void *key, size_t length);

#define HASH_FUNCTION(key, length, hash) ((hash) = table_hash((key), (length)))
/* An entry that could not be added has no table afterwards. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#endif
