/* SPDX-License-Identifier: MIT */
/* What the tests of lists, gathers and races share: inputs, and what came of them. */
#ifndef TESTS_COMBINATIONS_H
#define TESTS_COMBINATIONS_H

#include "deferreds.h"

#define FIRST_VALUE EVDEFERRED_LIST_FIRE_ON_ONE_CALLBACK
#define FIRST_ERROR EVDEFERRED_LIST_FIRE_ON_ONE_ERRBACK
#define CONSUME EVDEFERRED_LIST_CONSUME_ERRORS
#define CANCEL_REST EVDEFERRED_LIST_CANCEL_ON_ERROR

/* The first of these are made. */
enum { MOST_INPUTS = 1000 };
extern struct evdeferred *in[MOST_INPUTS];
void make_inputs(size_t count);

/* Values for them. */
extern char one, two, three;

/* What a combination fired with. */
struct outcome {
	int count;
	struct evresults *results;
	struct evfailure *failure; /* kept */
};
void note_outcome(struct evdeferred *d, struct outcome *outcome);

/* Frees the combination and what it fired with. */
void forget(struct evdeferred *d, struct outcome *outcome);

/* The value or the code of the failure of an input. */
void *value_at(const struct evresults *results, size_t i);
int code_at(const struct evresults *results, size_t i);

#endif
