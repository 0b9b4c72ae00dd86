/* SPDX-License-Identifier: MIT */
/*
 * What a command is, and what each needs to look at its arguments and to say
 * what is wrong with them.
 */
#ifndef KVD_COMMAND_H
#define KVD_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <evdefer/result.h>

#include "bytes.h"

struct call;

enum access {
	ACCESS_NONE,	/* needs no lock, and is answered at once */
	ACCESS_FIGURES, /* no lock either, but what all loops count */
	ACCESS_REPORT,	/* nor this, but is answered later */
	ACCESS_READ,	/* of the store */
	ACCESS_PARTS,	/* the same, of several entries that make one value */
	ACCESS_WRITE,
	ACCESS_NAMED, /* needs the lock that it names, and keeps it */
};

/* What becomes of it between MULTI and EXEC. */
enum in_transaction {
	QUEUED,
	AT_ONCE, /* it is done: it is about the transaction */
	REFUSED, /* and the transaction with it */
};

/* Which arguments are keys: those from the first to the last (-1: of all), in
 * steps.  All of it 0: none. */
struct keys {
	int first, last, step;
};

struct command {
	const char *name; /* in lower case */
	/* With the name: as many arguments, or, negative, at least so many. */
	int arity;
	enum access access;
	struct keys keys;
	enum in_transaction in_transaction;
	/* Before the lock is asked for: replies an error and gives false if it
	 * makes no sense to go on.  NULL if there is nothing to check. */
	bool (*check)(struct call *call);
	/* Replies and gives the value NULL, at once or later; or a failure, and
	 * has not replied. */
	struct evresult (*run)(struct call *call);
	/* It writes, and what it replies is short and comes last: it may be done
	 * together with the next ones of its client, see pipeline.h. */
	bool one_reply;
};

/* How many there are, with the name of the command, which is number 0. */
size_t argument_count(const struct call *call);

struct bytes argument(const struct call *call, size_t index);

/* Whether it is that word, in capitals or not. */
bool argument_is(const struct call *call, size_t index, const char *word);

/* "-9223372036854775808" and a NUL */
#define NUMBER_SIZE 21

bool bytes_are(struct bytes bytes, const char *word);

/* A number as Redis takes it: no blanks, no plus, no zeros in front.  0, or -1.
 */
int bytes_to_number(struct bytes bytes, long long *number);

/* The result of a command that has replied. */
struct evresult done(void);

/*
 * Replies that belong together: they are held back until send_replies(), which
 * has to be the result of the command.  That sends them when what the command
 * has planned is durable; and where there are too many of them it fails, and
 * nothing was done.  hold_replies() gives -1 without memory.
 */
int hold_replies(struct call *call);
bool are_too_many(const struct call *call);
struct evresult send_replies(struct call *call);
/* Instead of that, and before a failure: drops them, and what was planned. */
void drop_replies(struct call *call);

/* A failure. */
struct evresult out_of_memory(void);

/* How many, which an argument says; 1 if it is not there.  False after an error
 * was replied. */
bool parse_count(struct call *call, size_t index, uint64_t *count);

/* From where to where, the negative ones counted from the end on. */
struct range {
	long long first, last;
};

/* Takes it from two arguments.  False after an error was replied. */
bool parse_range(struct call *call, size_t index, struct range *range);

/* Those of total that lie in it: how many, and the first. */
uint64_t range_cut(const struct range *range, uint64_t total, uint64_t *first);

/* Reply an error, and are done. */
struct evresult wrong_type(struct call *call);
struct evresult not_a_number(struct call *call);
struct evresult wrong_number(struct call *call);
struct evresult syntax_error(struct call *call);

#endif
