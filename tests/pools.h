/* SPDX-License-Identifier: MIT */
/* What the tests of thread pools share: a pool, work for it, and a value that notes
 * where it is freed. */
#ifndef TESTS_POOLS_H
#define TESTS_POOLS_H

#include "deferreds.h"
#include "threads.h"

extern struct evthreadpool *pool;
void make_pool(unsigned threads);
void free_pool(void);

/* Another loop with so many priorities, and a base that nothing was done with. */
void new_base(int priorities);

/* Some work, and what became of it. */
struct work {
	struct evresult result; /* what it is to return */
	struct gate *gate;	/* that it passes; NULL for none */
	volatile bool done;
	pthread_t thread; /* that has done it */
	int order;	  /* which it was, from 1 on */
	struct evdeferred *d;
	struct seen seen;
};

/* How much was done. */
extern atomic_int done_count;
struct evresult do_work(void *work);

void begin_unseen(struct work *work, struct gate *gate, struct evresult result);
void begin_work(struct work *work, struct gate *gate, struct evresult result);

/* The first is at work, and held there; the others wait. */
void begin_many(struct work *work, int count, struct gate *gate);
void free_many(struct work *work, int count);

struct evresult return_null(void *arg);

/* A value that is freed in the thread of the base, once. */
extern int free_count;
void note_free(void *value);
struct evresult noting(void);
void freed_here(int count);

#endif
