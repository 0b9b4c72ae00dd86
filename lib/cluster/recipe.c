/* SPDX-License-Identifier: MIT */
/*
 * The recipe: what a seat says to the servers, and when.
 *
 * Who wants in stands in line: it creates a node w- to write or r- to read, with the next
 * number, and then looks who is there.  Who writes waits for all that came before it, and
 * who reads for those of them that write: each watches the last of those alone.  If there
 * is nobody, it may enter.
 *
 * So two that exclude each other are never both inside: the later one looked after it was
 * in line, when the earlier one was there already, and it was there for as long as it was
 * inside.  What is seen late can hold somebody up, and never lets anybody in.  And no change
 * is missed: who is watched was there when that was asked, or else it looks again.
 *
 * Who reads keeps the right until somebody wants to write: whoever lines up for that sets
 * the data of the lock in the same go, and that is watched by those that read.  Who lines
 * up to read does not, and wakes nobody.  Those that were let in read first, whoever has
 * come meanwhile.
 * The right to write it gives back when its last writer has left, or its turn is over.
 *
 * From one place in line to another it goes in one go: from reading to writing if one in
 * here wants to write, from writing to reading if one in here waits to read.  Both are at the
 * end of the line.  Only where somebody in here both writes and reads, and writes no more,
 * it keeps the place: the r- has the number of the w- that is left in the same go.
 *
 * Tokens are the numbers of the changes by which these nodes came to be, in the order of
 * the line.  Who keeps a place keeps its token, too.
 *
 * If the connection is lost, what was under way may have been done, or not, or may be done
 * yet.  A sync ends that: what is not there after it won't come.
 */
#include "recipe-internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <evdefer/group.h>

#define MOMENT 8 /* turns of the loop */

/*
 * What is next.
 */

static bool
wants_to_write(const struct evseat *seat)
{
	return evseat_is_wanted_(seat) && seat->need.right == EVRIGHT_WRITE;
}

/* Others come next, elsewhere. */
static bool
is_turn_over(const struct evseat *seat)
{
	return seat->right == EVRIGHT_WRITE && !seat->need.writing &&
	       seat->turns > EVGROUP_PASSES;
}

static bool
keeps_writing(const struct evseat *seat)
{
	return !seat->discarded && wants_to_write(seat) && !is_turn_over(seat);
}

static bool
keeps_reading(const struct evseat *seat)
{
	if (seat->discarded || !evseat_is_wanted_(seat))
		return false;
	return seat->need.reading > 0 ||
	       (!seat->recalled && !wants_to_write(seat));
}

/* Those in here that read go on to do so, and nobody enters before it is done. */
static void
step_down(struct evseat *seat)
{
	seat->recalled = seat->lowered = true;
	evseat_lower_right_(seat, EVRIGHT_READ);
	evmessages_step_down_(seat);
}

/* The place in line that is to be taken as another one is left. */
static enum evseat_place
next_place(const struct evseat *seat)
{
	if (!evseat_is_wanted_(seat) || seat->discarded || !seat->ready ||
	    !seat->member || seat->need.right == EVRIGHT_NONE)
		return EVSEAT_NO_PLACE;
	return seat->need.right == EVRIGHT_WRITE ? EVSEAT_WRITER
						 : EVSEAT_READER;
}

static void
give_back_writer(struct evseat *seat)
{
	if (seat->right != EVRIGHT_NONE && seat->need.reading > 0 &&
	    !seat->reads && !seat->discarded) {
		step_down(seat);
		return;
	}
	/* It may have been lowered for a step down that did not come to be. */
	if (seat->right == EVRIGHT_WRITE || !seat->reads)
		evseat_lower_right_(
		    seat, seat->reads ? EVRIGHT_READ : EVRIGHT_NONE);
	evmessages_move_(seat, EVSEAT_WRITER,
	    seat->reads ? EVSEAT_NO_PLACE : next_place(seat));
}

static void
give_back_reader(struct evseat *seat)
{
	if (seat->right == EVRIGHT_READ)
		evseat_lower_right_(seat, EVRIGHT_NONE);
	evmessages_move_(seat, EVSEAT_READER,
	    seat->writes ? EVSEAT_NO_PLACE : next_place(seat));
}

/* False: there was nothing to give back. */
static bool
give_back(struct evseat *seat)
{
	if (seat->writes && !keeps_writing(seat))
		give_back_writer(seat);
	else if (seat->reads && !keeps_reading(seat))
		give_back_reader(seat);
	else if (seat->member && !evseat_is_wanted_(seat))
		evmessages_close_(seat);
	else
		return false;
	return true;
}

/* What is to be said then is said from the loop, when those may have left already who are
 * let in. */
static void
take_right(struct evseat *seat, enum evright right)
{
	seat->right = right;
	seat->lowered = seat->recalled = false;
	seat->moment = MOMENT;
	seat->token =
	    right == EVRIGHT_WRITE ? seat->writer_token : seat->reader_token;
	evseat_look_soon_(seat);
	evseat_set_right_(seat, right);
}

static void EVCLUSTER_PRINTF_(3, 4)
    refuse(struct evseat *seat, int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(seat->reason, sizeof(seat->reason), format, args);
	va_end(args);
	seat->pausing = true;
	evseat_fail_(seat, error);
}

/* The servers do not go on below zero, as they say: they give the last number again and
 * again, so that nobody knows who was first. */
static bool
is_used_up(const struct evplace *place)
{
	return place->number < 0 || place->number == INT32_MAX;
}

static void
give_up_place(struct evseat *seat)
{
	evmessages_move_(seat, seat->writes ? EVSEAT_WRITER : EVSEAT_READER,
	    EVSEAT_NO_PLACE);
	refuse(seat, EPROTO,
	    "%.200s at %.100s: the servers have no number left for a place in "
	    "line; they begin anew once all processes have freed the lock",
	    seat->path, seat->cluster->server);
}

static void
wait_in_line(struct evseat *seat, enum evseat_view view, enum evright right)
{
	if (seat->seen != view)
		evmessages_look_(seat, view);
	else if (seat->in_the_way[0] == '\0') {
		if (evsession_is_sure_(seat->cluster))
			take_right(seat, right);
	} else if (!seat->watching)
		evmessages_watch_(seat);
}

static void
go_on_to_write(struct evseat *seat)
{
	if (!seat->writes)
		evmessages_move_(seat, EVSEAT_NO_PLACE, EVSEAT_WRITER);
	else if (is_used_up(&seat->writer))
		give_up_place(seat);
	else if (seat->right == EVRIGHT_WRITE)
		return;
	else if (seat->writer_token == 0)
		evmessages_get_token_(seat);
	else
		wait_in_line(seat, EVSEAT_TO_WRITE, EVRIGHT_WRITE);
}

static void
go_on_to_read(struct evseat *seat)
{
	if (!seat->reads)
		evmessages_move_(seat, EVSEAT_NO_PLACE, EVSEAT_READER);
	else if (is_used_up(&seat->reader))
		give_up_place(seat);
	else if (seat->reader_token == 0)
		evmessages_get_token_(seat);
	else if (seat->right == EVRIGHT_NONE)
		wait_in_line(seat, EVSEAT_TO_READ, EVRIGHT_READ);
	else if (seat->seen != EVSEAT_READING)
		evmessages_look_(seat, EVSEAT_READING);
}

static void
open_lock(struct evseat *seat)
{
	if (seat->rootless)
		evmessages_make_root_(seat);
	else
		evmessages_open_(seat);
}

/* Those that read go on to do so while nobody is in line: if its node is gone, it waits for
 * ever. */
static bool
waits_for_reader(const struct evseat *seat)
{
	return seat->right == EVRIGHT_NONE && seat->writes &&
	       seat->seen == EVSEAT_TO_WRITE && seat->in_the_way[0] != '\0' &&
	       evnames_is_reader_(strrchr(seat->in_the_way, '/') + 1);
}

static bool
is_watching_own(const struct evseat *seat)
{
	if (seat->right == EVRIGHT_WRITE || waits_for_reader(seat))
		return evmessages_is_own_(
		    seat, EVSEAT_WRITER, seat->own_watched);
	return seat->right == EVRIGHT_NONE || !seat->reads ||
	       evmessages_is_own_(seat, EVSEAT_READER, seat->own_watched);
}

static bool
may_send(const struct evseat *seat)
{
	return seat->pending == 0 && !seat->pausing &&
	       seat->cluster->wire != NULL &&
	       evsession_is_connected_(seat->cluster);
}

/* Those that read often have left again in a few turns of the loop, and then somebody in
 * here wants to write: till then it is not worth asking who comes. */
static bool
lingers(struct evseat *seat)
{
	if (seat->right != EVRIGHT_READ || wants_to_write(seat) ||
	    seat->moment == 0)
		return false;
	seat->moment--;
	evseat_look_soon_(seat);
	return true;
}

static void
go_on(struct evseat *seat)
{
	if (!may_send(seat))
		return;
	if (seat->unsure) {
		evmessages_find_(seat);
		return;
	}
	if (give_back(seat) || !evseat_is_wanted_(seat) || lingers(seat))
		return;
	if (!is_watching_own(seat))
		evmessages_watch_own_(seat);
	if (seat->need.right == EVRIGHT_NONE && !seat->reads)
		return;
	if (!seat->ready || !seat->member)
		open_lock(seat);
	else if (wants_to_write(seat))
		go_on_to_write(seat);
	else
		go_on_to_read(seat);
}

/*
 * What has come of it.
 */

/* What is there without an answer is to be found out. */
static bool
changes_something(enum evseat_step step)
{
	return step != EVSEAT_LOOK && step != EVSEAT_WATCH &&
	       step != EVSEAT_GET_TOKEN && step != EVSEAT_MAKE_ROOT;
}

static void
forget_what_was_seen(struct evseat *seat)
{
	seat->seen = EVSEAT_UNSEEN;
	seat->watching = false;
	seat->missed = true;
}

/* Nothing is discarded any more where nothing is. */
static void
tidy(struct evseat *seat)
{
	if (!seat->reads && !seat->writes && !seat->unsure)
		seat->discarded = false;
}

/* A right without the node that it came from is none. */
static void
lose_without_node(struct evseat *seat)
{
	const bool is_there = seat->right == EVRIGHT_WRITE || seat->lowered
				  ? seat->writes
				  : seat->reads;

	if (seat->right != EVRIGHT_NONE && !is_there)
		evseat_lose_(seat);
}

static void
finish_find(struct evseat *seat)
{
	seat->unsure = false;
	seat->lowered &= !seat->reads;
	tidy(seat);
	lose_without_node(seat);
}

static void
finish_open(struct evseat *seat)
{
	seat->ready = seat->member = seat->error == EVWIRE_OK;
	seat->rootless = seat->error == EVWIRE_NO_NODE;
	seat->root_made = 0;
}

static void
finish_make_root(struct evseat *seat)
{
	seat->root_made = seat->error == EVWIRE_OK ? seat->root_asked : 0;
	seat->rootless = seat->root_made < strlen(seat->cluster->options.root);
}

static void
finish_removal(struct evseat *seat)
{
	evseat_leave_place_(seat);
	seat->seen = EVSEAT_UNSEEN;
	tidy(seat);
	/* Those who read may be let in, who could not be beside one who writes. */
	if (seat->right == EVRIGHT_READ)
		evseat_set_right_(seat, EVRIGHT_READ);
}

static void
finish_look(struct evseat *seat)
{
	const bool recalled = seat->in_the_way[0] != '\0';

	if (seat->error == EVWIRE_NO_NODE)
		seat->ready = seat->member = seat->reads = seat->writes = false;
	lose_without_node(seat);
	seat->seen = seat->error == EVWIRE_OK && !seat->missed ? seat->looking
							       : EVSEAT_UNSEEN;
	if (seat->looking != EVSEAT_READING || seat->error != EVWIRE_OK ||
	    recalled == seat->recalled)
		return;
	seat->recalled = recalled;
	evseat_set_right_(seat, seat->right);
}

/* If it was refused it is not known what of it was not there, or was. */
static void
finish_move(struct evseat *seat)
{
	if (seat->takes == EVSEAT_NO_PLACE)
		finish_removal(seat);
	else if (seat->error == EVWIRE_EXISTS ||
		 (seat->error == EVWIRE_NO_NODE &&
		     seat->leaves != EVSEAT_NO_PLACE))
		seat->unsure = true;
	else
		finish_look(seat);
	if (seat->right == EVRIGHT_NONE)
		seat->recalled = false;
}

/* The node is not there, of which the token was to be. */
static void
finish_get_token(struct evseat *seat)
{
	if (seat->error != EVWIRE_NO_NODE)
		return;
	if (seat->writes)
		seat->writes = false;
	else
		seat->reads = false;
	seat->seen = EVSEAT_UNSEEN;
	lose_without_node(seat);
}

/* It can't be known what the servers have done. */
static void
finish_without_answer(struct evseat *seat, enum evseat_step step)
{
	if (changes_something(step))
		seat->unsure = true;
	if (seat->error == EVWIRE_OTHER)
		seat->pausing = true;
	forget_what_was_seen(seat);
}

static void
finish_refused(struct evseat *seat)
{
	const char *server = seat->cluster->server;

	forget_what_was_seen(seat);
	/* Who can't see whether anybody wants to write does not keep it. */
	seat->recalled = seat->reads;
	evseat_lower_right_(seat, seat->right);
	if (seat->error == EVWIRE_NO_AUTH)
		refuse(seat, EACCES,
		    "%.200s at %.100s: this process may not read or change it; "
		    "look at its ACL, and at the credentials given",
		    seat->path, server);
	else
		refuse(seat, EPROTO,
		    "%.200s at %.100s: there are nodes that are none of a "
		    "lock's; choose another name or root, or remove them",
		    seat->path, server);
}

static void
finish_with_answer(struct evseat *seat, enum evseat_step step)
{
	if (step == EVSEAT_FIND)
		finish_find(seat);
	else if (step == EVSEAT_OPEN)
		finish_open(seat);
	else if (step == EVSEAT_MAKE_ROOT)
		finish_make_root(seat);
	else if (step == EVSEAT_MOVE)
		finish_move(seat);
	else if (step == EVSEAT_LOOK)
		finish_look(seat);
	else if (step == EVSEAT_GET_TOKEN)
		finish_get_token(seat);
	else if (step == EVSEAT_WATCH && seat->error == EVWIRE_NO_NODE)
		forget_what_was_seen(seat);
	else if (step == EVSEAT_CLOSE)
		seat->member = false;
}

static void
finish(struct evseat *seat, enum evseat_step step)
{
	switch (seat->error) {
	case EVWIRE_LOST:
	case EVWIRE_EXPIRED:
	case EVWIRE_OTHER:
		finish_without_answer(seat, step);
		break;
	case EVWIRE_NO_AUTH:
	case EVWIRE_BAD:
		finish_refused(seat);
		break;
	default:
		finish_with_answer(seat, step);
	}
}

static void
step_finished(struct evseat *seat)
{
	const enum evseat_step step = seat->step;

	seat->step = EVSEAT_NOTHING;
	evseat_use_(seat);
	finish(seat, step);
	go_on(seat);
	evseat_unuse_(seat);
}

static void
step_unsent(struct evseat *seat, int error)
{
	seat->step = EVSEAT_NOTHING;
	seat->pausing = true;
	if (error != ENOMEM)
		return;
	evseat_use_(seat);
	refuse(seat, ENOMEM, "%s: %s", seat->path, strerror(ENOMEM));
	evseat_unuse_(seat);
}

static void
look_what_is_next(struct evseat *seat)
{
	evseat_use_(seat);
	go_on(seat);
	evseat_unuse_(seat);
}

/* Nobody but an operator, or the end of the session, removes it.  An operator may also
 * have written to it: if it is there still, that is found out, and it is given back. */
static void
lose_own(struct evseat *seat, bool *there)
{
	*there = false;
	seat->unsure = true;
	forget_what_was_seen(seat);
	lose_without_node(seat);
}

/* It goes as it is to. */
static bool
is_leaving(const struct evseat *seat, enum evseat_place place)
{
	return seat->step == EVSEAT_MOVE && seat->leaves == place;
}

static void
take_change(struct evseat *seat, const char *path)
{
	if (seat->writes && evmessages_is_own_(seat, EVSEAT_WRITER, path)) {
		if (!is_leaving(seat, EVSEAT_WRITER))
			lose_own(seat, &seat->writes);
	} else if (seat->reads &&
		   evmessages_is_own_(seat, EVSEAT_READER, path)) {
		if (!is_leaving(seat, EVSEAT_READER))
			lose_own(seat, &seat->reads);
	} else if (strcmp(path, seat->in_the_way) == 0 ||
		   (seat->right == EVRIGHT_READ &&
		       strcmp(path, seat->path) == 0)) {
		forget_what_was_seen(seat);
	}
}

static void
node_changed(struct evseat *seat, const char *path)
{
	evseat_use_(seat);
	take_change(seat, path);
	/* It tells once. */
	if (strcmp(path, seat->own_watched) == 0)
		seat->own_watched[0] = '\0';
	go_on(seat);
	evseat_unuse_(seat);
}

const struct evmessages_handler evrecipe_ = {.finished = step_finished,
    .unsent = step_unsent,
    .changed = node_changed,
    .go_on = look_what_is_next};
