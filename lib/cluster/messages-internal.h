/* SPDX-License-Identifier: MIT */
/*
 * What a seat sends: one step at a time, each of one or two requests.  What is answered
 * goes into the seat, and then the handler is told.
 */
#ifndef EVDEFER_CLUSTER_MESSAGES_INTERNAL_H
#define EVDEFER_CLUSTER_MESSAGES_INTERNAL_H

#include "seat-internal.h"

struct evmessages_handler {
	/* The step is over: all that it has sent is answered. */
	void (*finished)(struct evseat *seat);
	/* Nothing of the step could be sent: it is tried again in a while. */
	void (*unsent)(struct evseat *seat, int error);
	/* A node that it watches has changed, or is gone. */
	void (*changed)(struct evseat *seat, const char *path);
	/* Says what is next to the servers, if anything is. */
	void (*go_on)(struct evseat *seat);
};

void evmessages_init_(
    struct evseat *seat, const struct evmessages_handler *handler);

void evmessages_find_(struct evseat *seat);
void evmessages_make_root_(struct evseat *seat);
void evmessages_open_(struct evseat *seat);

/* Takes a place in line, the last, and leaves another one in the same go; either may be
 * none. */
void evmessages_move_(
    struct evseat *seat, enum evseat_place leaves, enum evseat_place takes);

/* The same from writing to reading, and keeps the place. */
void evmessages_step_down_(struct evseat *seat);

void evmessages_look_(struct evseat *seat, enum evseat_view view);
void evmessages_watch_(struct evseat *seat);

void evmessages_get_token_(struct evseat *seat);
void evmessages_close_(struct evseat *seat);

/* Beside the step that is under way. */
void evmessages_watch_own_(struct evseat *seat);

/* Is that the node of its place? */
bool evmessages_is_own_(
    const struct evseat *seat, enum evseat_place place, const char *path);

#endif
