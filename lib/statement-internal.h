/* SPDX-License-Identifier: MIT */
/*
 * What a report says about one lock or queue.  The kind of lock says it, piece by
 * piece, and a format puts it into writing: neither knows the other.
 *
 * What waits may be a million, and the loop is not to stand still for them: all are
 * counted, and only the first are named.
 */
#ifndef EVDEFER_STATEMENT_INTERNAL_H
#define EVDEFER_STATEMENT_INTERNAL_H

#include "creation-internal.h"
#include "page-internal.h"

struct evdeferred;
struct evformat;

/* So many are named of those inside, of those granted and of those that wait. */
#define EVSTATEMENT_NAMES 64

/* Something else about the lock; the name NULL ends a list of them. */
struct evfact {
	const char *name;
	const char *word; /* NULL: it is the number */
	size_t number;
};

#define EVFACTS 4

struct evsubject {
	const char *kind;
	const char *name; /* NULL if it has none */
	bool closed;
	size_t inside; /* those that were not told yet, too */
	size_t waiting;
	struct evfact facts[EVFACTS + 1];
};

/* In the order in which they are told of. */
enum evrelation {
	EVRELATION_GRANTED, /* and not told yet */
	EVRELATION_INSIDE,
	EVRELATION_WAITING
};

/* Who is inside or waits. */
struct evparty {
	enum evrelation relation;
	const char *mode;
	const char *owner; /* its name; NULL: without an owner */
	uint64_t number;   /* of the owner */
	size_t count; /* times that an owner is inside, or how many they are */
	bool rest;    /* they are those that were not looked at */
	const struct evcreation *creation; /* NULL: nothing is known */
	/* If that is of the first, and others have come since: how many, with it. */
	const struct evcreation *last;
	size_t entered;
};

/* To find the names of functions takes microseconds.  So those of the last places are
 * kept: most of those that wait come from a few. */
#define EVPLACES 16
/* Long enough for four functions of a C++ program; longer ones are cut off. */
#define EVPLACE_SIZE 512

struct evplace {
	struct evcreation creation;
	long depends; /* on that many frames */
	char text[EVPLACE_SIZE];
};

/* All of it is 0 at first. */
struct evplaces {
	struct evplace last[EVPLACES];
	unsigned count; /* so far */
};

struct evstatement {
	const struct evformat *format;
	struct evpage *page;
	struct evplaces *places;
	const void *lock;
	uint64_t number; /* of the lock */
	uint64_t now;
	bool follows; /* another one */
	const struct evsubject *subject;
	enum evrelation relation; /* of the last one that was written */
	size_t parties;		  /* that were written */
	size_t looks;	     /* at those that are named, or counted alone */
	struct evparty next; /* to be written, if it is anybody */
};

/* How a report is written. */
struct evformat {
	void (*begin)(struct evpage *page, bool debug);
	void (*begin_lock)(struct evstatement *statement);
	void (*add)(struct evstatement *statement, const struct evparty *party);
	/* NULL if there is nothing to add. */
	void (*end_lock)(struct evstatement *statement);
	void (*end)(struct evpage *page, size_t locks);
};

static inline void
evsubject_add_(struct evsubject *subject, struct evfact fact)
{
	struct evfact *last = subject->facts;

	while (last->name != NULL)
		last++;
	*last = fact;
}

/* The subject has to stay until the statement is made. */
static inline void
evstatement_begin_(
    struct evstatement *statement, const struct evsubject *subject)
{
	statement->subject = subject;
	statement->format->begin_lock(statement);
}

/* In the order of their relation.  Those without an owner
 * are put together if nothing is known about each. */
void evstatement_add_(
    struct evstatement *statement, const struct evparty *party);

/* Those of a list that were not looked at, if there are any. */
void evstatement_add_rest_(struct evstatement *statement,
    enum evrelation relation, const char *mode, size_t count);

void evstatement_end_(struct evstatement *statement);

/* Where it was, in words. */
const char *evstatement_place_(
    struct evstatement *statement, const struct evcreation *creation);

/* What is known about one that waits; NULL if nothing is. */
const struct evcreation *evstatement_creation_(const struct evdeferred *d);

#endif
