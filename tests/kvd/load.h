/* SPDX-License-Identifier: MIT */
/* Writers that know exactly what the daemon may have forgotten: each sends a
 * fixed sequence of SET, INCR and MSET on keys of its own, so that what it
 * finds after a crash has to be a prefix of that sequence, no shorter than
 * what was acknowledged and no longer than what was sent. */
#ifndef TESTS_KVD_LOAD_H
#define TESTS_KVD_LOAD_H

#include <stdbool.h>

#include "client.h"

#define LOAD_PEERS 8
#define LOAD_READERS 4

struct load {
	struct peer peers[LOAD_PEERS];
	long checked[LOAD_PEERS]; /* how much of the sequence was verified */
	bool with_snapshots;
	struct peer snapshots; /* asks for one SNAPSHOT after the other */
	bool with_readers;
	struct peer readers[LOAD_READERS]; /* ask for what an MSET writes */
	long pairs;			   /* that they have read, whole */
	long acked;			   /* of all peers, since load_open() */
};

/* Begins where the last load_check() found the end; zero it at first. */
void load_open(struct load *load, const struct kvd *kvd);
void load_close(struct load *load);

/* Keeps a pipeline of each peer full until "acks" more were acknowledged, and
 * goes on for so many seconds.
 * With snapshots or readers, the peers pause for them after each few steps, as kvd lets
 * waiting writers in first. */
void load_run(struct load *load, long acks, double seconds);

/* Reads what was still answered until the daemon closes all connections. */
void load_drain(struct load *load);

/* Fails the test if the daemon forgot what it acknowledged, or knows what was
 * never asked of it, or half of something. */
void load_check(struct load *load, const struct kvd *kvd);

#endif
