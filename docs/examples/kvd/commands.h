/* SPDX-License-Identifier: MIT */
/*
 * The commands of kvd.
 */
#ifndef KVD_COMMANDS_H
#define KVD_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>

#include <evdefer/result.h>

#include "bytes.h"

struct call;

enum access {
	ACCESS_NONE, /* needs no lock, and is answered at once */
	ACCESS_READ, /* of the store */
	ACCESS_WRITE,
	ACCESS_NAMED, /* needs the lock that it names, and keeps it */
};

struct command {
	const char *name; /* in lower case */
	/* With the name: as many arguments, or, negative, at least so many. */
	int arity;
	enum access access;
	/* Before the lock is asked for: replies an error and gives false if it
	 * makes no sense to go on.  NULL if there is nothing to check. */
	bool (*check)(struct call *call);
	/* Replies and gives the value NULL, at once or later; or a failure, and
	 * has not replied. */
	struct evresult (*run)(struct call *call);
};

/* NULL if there is none of that name. */
const struct command *commands_find(struct bytes name);

/* Whether it may have so many arguments. */
bool command_takes(const struct command *command, size_t count);

#endif
