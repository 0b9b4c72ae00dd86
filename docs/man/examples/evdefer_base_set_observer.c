/* SPDX-License-Identifier: MIT */
/*
 * Who asks for what:
 */
#include <stdio.h>
#include <evdefer.h>

static void
note_acquire(const struct evobserver_event *event, void *arg)
{
	fprintf(arg, "%s asks for %s\n",
	    event->owner_name != NULL ? event->owner_name : "somebody",
	    event->lock_name != NULL ? event->lock_name : "a lock");
}

static const struct evobserver observer = {.acquire = note_acquire};

int
look_on(struct evdefer_base *base)
{
	return evdefer_base_set_observer(base, &observer, stderr);
}
