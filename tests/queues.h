/* SPDX-License-Identifier: MIT */
/* What the tests of the queue share: one, its objects, and gets that wait for them.
 * Most tests run once with each way of delivery: _i (or _i % 2) is 0 for the loop's
 * and 1 for EVQUEUE_FAST. */
#ifndef TESTS_QUEUES_H
#define TESTS_QUEUES_H

#include "waiters.h"

extern struct evqueue *queue;

/* The objects of the tests are numbers: numbers[i] is i. */
extern int numbers[16];

void make(int i, size_t size, size_t backlog);

void put(int number);
void get(struct waiter *waiter);

/* Checks that the get has brought the number. */
void got(const struct waiter *waiter, int number);

/* Checks how many objects are queued and how many gets wait. */
void counts(size_t queued, size_t waiting);

/* Frees the Deferreds of the gets, and the queue. */
void done(struct waiter *waiters, int count);

#endif
