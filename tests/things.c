/* SPDX-License-Identifier: MIT */
#include "things.h"

void *thing;
int freed_again;

static void (*free_it)(void *);

void
set_thing(void *what, void (*how)(void *))
{
	thing = what;
	free_it = how;
	freed_again = 0;
}

void
free_thing(void)
{
	free_it(thing);
}

void
free_again(void)
{
	freed_again++;
	free_thing();
}

struct evresult
free_when_cancelled(struct evfailure *failure, void *arg)
{
	(void)arg;
	ck_assert_int_eq(evfailure_get_code(failure), ECANCELED);
	free_again();
	return evresult_value(NULL);
}

struct evresult
free_when_closed(struct evfailure *failure, void *arg)
{
	(void)arg;
	ck_assert_int_eq(evfailure_get_code(failure), ESHUTDOWN);
	free_again();
	return evresult_value(NULL);
}

void
free_in_dispose(void *value)
{
	(void)value;
	free_again();
}
