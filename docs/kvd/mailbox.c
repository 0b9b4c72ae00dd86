/* SPDX-License-Identifier: MIT */
/*
 * How loops tell each other something.
 */
#include "mailbox.h"

#include <stddef.h>

#include <evdefer/base.h>

void
letter_init(struct letter *letter, void (*fn)(void *arg), void *arg)
{
	letter->next = NULL;
	letter->fn = fn;
	letter->arg = arg;
	letter->is_under_way = false;
}

/* NULL: there is none, and the next one needs a call. */
static struct letter *
take(struct mailbox *mailbox)
{
	struct letter *letter;

	pthread_mutex_lock(&mailbox->mutex);
	letter = mailbox->first;
	if (letter != NULL) {
		mailbox->first = letter->next;
		letter->is_under_way = false;
	} else {
		mailbox->called = false;
	}
	if (mailbox->first == NULL)
		mailbox->end = &mailbox->first;
	pthread_mutex_unlock(&mailbox->mutex);
	return letter;
}

static void
look(void *arg)
{
	struct mailbox *mailbox = arg;
	struct letter *letter;

	while ((letter = take(mailbox)) != NULL)
		letter->fn(letter->arg); /* it may be gone after that */
}

int
mailbox_open(struct mailbox *mailbox, struct evdefer_base *base)
{
	pthread_mutex_init(&mailbox->mutex, NULL);
	mailbox->base = base;
	mailbox->first = NULL;
	mailbox->end = &mailbox->first;
	mailbox->called = true;
	/* What this needs is kept for all the calls that follow. */
	return evdefer_base_call(base, look, mailbox);
}

void
mailbox_close(struct mailbox *mailbox)
{
	mailbox->base = NULL;
}

void
mailbox_destroy(struct mailbox *mailbox)
{
	pthread_mutex_destroy(&mailbox->mutex);
}

void
mailbox_send(struct mailbox *mailbox, struct letter *letter)
{
	pthread_mutex_lock(&mailbox->mutex);
	if (mailbox->base != NULL && !letter->is_under_way) {
		letter->is_under_way = true;
		letter->next = NULL;
		*mailbox->end = letter;
		mailbox->end = &letter->next;
		if (!mailbox->called)
			evdefer_base_call(mailbox->base, look, mailbox);
		mailbox->called = true;
	}
	pthread_mutex_unlock(&mailbox->mutex);
}
