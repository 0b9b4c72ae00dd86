/* SPDX-License-Identifier: MIT */
#include "combinations.h"

#include <string.h>

struct evdeferred *in[MOST_INPUTS];
char one, two, three;

void
make_inputs(size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		in[i] = fresh();
}

static struct evresult
note_value(void *value, void *arg)
{
	struct outcome *outcome = arg;

	outcome->count++;
	outcome->results = value;
	return evresult_value(NULL);
}

static struct evresult
note_failure(struct evfailure *failure, void *arg)
{
	struct outcome *outcome = arg;

	outcome->count++;
	outcome->failure = evfailure_ref(failure);
	return evresult_value(NULL);
}

void
note_outcome(struct evdeferred *d, struct outcome *outcome)
{
	ck_assert_ptr_nonnull(d);
	memset(outcome, 0, sizeof(*outcome));
	ck_assert_int_eq(
	    evdeferred_add_callbacks(d, note_value, note_failure, outcome), 0);
}

void
forget(struct evdeferred *d, struct outcome *outcome)
{
	evresults_free(outcome->results);
	evfailure_unref(outcome->failure);
	evdeferred_free(d);
}

void *
value_at(const struct evresults *results, size_t i)
{
	ck_assert(!evresult_is_failure(evresults_get(results, i)));
	return evresult_get_value(evresults_get(results, i));
}

int
code_at(const struct evresults *results, size_t i)
{
	ck_assert(evresult_is_failure(evresults_get(results, i)));
	return evfailure_get_code(
	    evresult_get_failure(evresults_get(results, i)));
}
