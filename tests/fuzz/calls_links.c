/* SPDX-License-Identifier: MIT */
/* What runs in chains: the functions of ours that the library calls. */
#include "calls.h"

struct evresult
received(void *value, void *arg)
{
	const struct link *link = arg;
	struct token *token = value;

	if (token != NULL) {
		MUST(token >= tokens && token < tokens + THINGS);
		MUST(token->out);
		token->out = false;
	}
	calls_of(link->d, next() % 4);
	if (token != NULL && w.ending)
		release(token);
	if (token != NULL && !w.ending && next() % 2)
		return hand_out(token);
	return some_result(link->d);
}

struct evresult
failed(struct evfailure *failure, void *arg)
{
	const struct link *link = arg;
	const struct evresults *results = evfailure_get_results(failure);
	size_t i;

	MUST(evfailure_get_code(failure) > 0);
	MUST(evfailure_get_message(failure) != NULL);
	MUST(evfailure_get_file(failure) != NULL);
	for (i = 0; i < evresults_get_count(results); i++)
		MUST(evresult_is_failure(evresults_get(results, i)));
	calls_of(link->d, next() % 4);
	switch (w.ending ? 1 : next() % 3) {
	case 0:
		return evresult_from_failure(failure);
	case 1:
		return some_result(link->d);
	}
	return evresult_wrap(failure, code(), NULL);
}

struct evresult
either(struct evresult result, void *arg)
{
	if (evresult_is_failure(result)) {
		if (next() % 2)
			return result;
		return failed(evresult_get_failure(result), arg);
	}
	/* As it is: the duty to free it goes on. */
	if (!w.ending && next() % 2)
		return result;
	return received(evresult_get_value(result), arg);
}

/* A grant turns into one of our values. */
struct evresult
granted(void *value, void *arg)
{
	const struct link *link = arg;
	struct token *token;

	if (link->owner != -1)
		MUST(w.life[link->owner] == link->life &&
		     !w.owner_goes[link->owner]);
	token = hold(link->what, value, link->owner);
	calls_of(link->d, next() % 4);
	if (w.ending)
		release(token);
	/* Kept, or to be disposed of on the way. */
	return next() % 2 ? hand_out(token) : evresult_value(NULL);
}

static void
free_results(struct evresults *results)
{
	struct evresults *outer = w.results;

	w.results = results;
	evresults_free(results);
	w.results = outer;
}

struct evresult
got_results(void *value, void *arg)
{
	struct evresults *results = value;
	const struct link *link = arg;
	struct evresult result;
	struct token *token;
	size_t i;

	for (i = 0; !link->opaque && i < evresults_get_count(results); i++) {
		if (next() % 2)
			continue;
		result = evresults_take(results, i);
		token = evresult_get_value(result);
		if (token == NULL || next() % 2) {
			evresult_dispose(result);
			continue;
		}
		MUST(token->out);
		token->out = false;
	}
	calls_of(link->d, next() % 4);
	free_results(results);
	return some_result(link->d);
}

/* The same for evdeferred_maybe(), _later() and all that run under a lock. */
struct evresult
body(void *arg)
{
	const struct link *link = arg;

	if (link->on != NULL)
		check_alone(link->what, link->on, link->owner);
	calls_of(link->d, next() % 4);
	return some_result(link->d);
}

struct evresult
coroutine(struct evcoro *co, void *arg)
{
	struct link *link = arg;
	struct slot *slot;
	struct evdeferred *d;
	struct token *token;

	EVCORO_BEGIN(co);
	while (!w.ending && next() % 4 != 0) {
		slot = some_result_slot();
		if (slot == NULL || slot->d == link->d)
			continue;
		d = take(slot);
		EVCORO_AWAIT(co, d);
		token = evcoro_value(co);
		if (token != NULL) {
			MUST(token->out);
			token->out = false;
			if (w.ending)
				release(token);
		}
		calls_of(link->d, next() % 4);
	}
	EVCORO_RETURN(some_result(link->d));
	EVCORO_FINALLY(co);
	calls_of(link->d, next() % 2);
	EVCORO_END(co);
}

/* The coroutine is over, and its Deferred may be. */
void
coroutine_over(void *arg)
{
	const struct link *link = arg;

	calls_of(link->d, next() % 2);
}

/* Who fires d is not to do so any more.  Where that was, or NULL. */
struct evdeferred **
forget(const struct evdeferred *d)
{
	int i;

	for (i = 0; i < SLOTS; i++) {
		if (w.producers[i] == d) {
			w.producers[i] = NULL;
			return &w.producers[i];
		}
	}
	return NULL;
}

void
canceller(struct evdeferred *d, void *arg)
{
	struct evresult result;

	(void)arg;
	forget(d);
	calls_of(d, next() % 2);
	if (next() % 2) {
		result = hand_out(new_token());
		if (evdeferred_fire(d, result) == -1)
			evresult_dispose(result);
	}
}

void
unhandled(const struct evfailure *failure, void *arg)
{
	char text[64];

	(void)arg;
	MUST(evfailure_get_code(failure) > 0);
	evdefer_base_describe_creation(w.base, text, sizeof(text));
	calls(next() % 2);
}
