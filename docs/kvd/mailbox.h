/* SPDX-License-Identifier: MIT */
/*
 * How loops tell each other something: a letter is a function that the loop of the
 * other one is to call.
 *
 * The letter is part of what it is about, so that none is lost for want of memory: the
 * answer to a write that is on the disk can't be.  (evdefer_base_call() may need some
 * if many calls are under way.  A mailbox has one at a time.)
 */
#ifndef KVD_MAILBOX_H
#define KVD_MAILBOX_H

#include <pthread.h>
#include <stdbool.h>

struct evdefer_base;

struct letter {
	struct letter *next;
	void (*fn)(void *arg);
	void *arg;
	bool is_under_way; /* under the mutex of the mailbox */
};

struct mailbox {
	pthread_mutex_t mutex;
	struct evdefer_base *base; /* NULL once it is closed */
	struct letter *first;
	struct letter **end;
	bool called; /* its loop is going to look */
};

void letter_init(struct letter *letter, void (*fn)(void *arg), void *arg);

/* 0, or -1 with errno. */
int mailbox_open(struct mailbox *mailbox, struct evdefer_base *base);

/* After its base.  What is still sent to it, by loops that are closed later, is not
 * looked at. */
void mailbox_close(struct mailbox *mailbox);
void mailbox_destroy(struct mailbox *mailbox);

/* Any thread may call it.  The functions are called in a later turn of the loop, in the
 * order of the letters of one sender.  One that is under way is sent once only. */
void mailbox_send(struct mailbox *mailbox, struct letter *letter);

#endif
