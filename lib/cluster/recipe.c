/* SPDX-License-Identifier: MIT */
/*
 * The recipe: what a seat says to the servers, and when.
 *
 * To write, in one go it creates a node w-, with the next number, and changes the data of
 * the lock, so that its version is another one.  Then it looks who is there.  If another
 * w- came before, it watches the nearest; if none did, but somebody reads, it watches
 * one of those.  If there is nobody, it may write.
 *
 * To read, it looks whether there is any w-, and watches the last one if there is.  If
 * not, then in one go it creates a node r-, if the version of the lock is what it was when
 * it looked.
 *
 * It need not look right then: whoever comes to write makes another version.  So once there
 * was a moment at which a version was the lock's and nobody was in line, nobody is for as
 * long as that is the version.  The same holds if it was in line alone, and has left: thus
 * who reads after it has written looks no more.  There must have been no other w- at all,
 * not even behind its own.  And a version must not come twice, as it would if the lock were
 * removed and made anew: what keeps it is the member's node, which nobody makes but the
 * step that forgets what was seen.  If it is there still, then it was there all the while,
 * and so was the lock; so the same go asks for it too.  Where the try fails, it looks.
 *
 * And it holds if there was exactly one other w- at that version, and this one is gone: a
 * name does not come twice.  Whether it has written, given up, or stepped down to reading
 * is all the same, as those who read may be there.  But it must have been told that it is
 * gone, and not only changed; and that a second one was there, of which nothing is known,
 * forbids it.  So who waits to read behind one other joins as soon as that one has left.
 *
 * So nobody comes to read once there is a w-: those that read, and those that came to
 * write before, become only fewer.  What is seen late can hold somebody up, and never lets
 * anybody in.  And no change is missed: who is watched was there when that was asked, or
 * else it looks again.
 *
 * It keeps the right to read until somebody wants to write, and has itself told who comes,
 * from the go on with which it joins.  Who is in line by then came after it, and so it reads
 * first.
 * The right to write it gives back when its last writer has left, or its turn is over.
 * If it is one in here who wants to write, it gives back the right to read in the same go
 * as it gets in line.
 * From writing it steps down to reading in one go, too, if somebody in here reads.
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
	if (!seat->ready) {
		evmessages_open_(seat);
		return;
	}
	seat->recalled = seat->lowered = true;
	evseat_lower_right_(seat, EVRIGHT_READ);
	evmessages_step_down_(seat);
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
	evmessages_remove_writer_(seat);
}

static bool
steps_up(const struct evseat *seat)
{
	return wants_to_write(seat) && !seat->writes && !seat->discarded &&
	       seat->ready && seat->member;
}

static void
give_back_reader(struct evseat *seat)
{
	if (seat->right == EVRIGHT_READ)
		evseat_lower_right_(seat, EVRIGHT_NONE);
	if (steps_up(seat))
		evmessages_step_up_(seat);
	else
		evmessages_remove_reader_(seat);
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
	seat->lowered = false;
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
is_used_up(const struct evseat *seat)
{
	return seat->writer.number < 0 || seat->writer.number == INT32_MAX;
}

static void
give_up_writing(struct evseat *seat)
{
	evmessages_remove_writer_(seat);
	refuse(seat, EPROTO,
	    "%.200s at %.100s: the servers have no number left for one that "
	    "wants to write; they begin anew once all processes have freed "
	    "the lock",
	    seat->path, seat->cluster->server);
}

static void
go_on_to_write(struct evseat *seat)
{
	if (!seat->writes)
		evmessages_line_up_(seat);
	else if (is_used_up(seat))
		give_up_writing(seat);
	else if (seat->right == EVRIGHT_WRITE)
		return;
	else if (seat->writer_token == 0)
		evmessages_get_token_(seat);
	else if (seat->seen != EVSEAT_TO_WRITE)
		evmessages_look_(seat, EVSEAT_TO_WRITE);
	else if (seat->in_the_way[0] == '\0') {
		if (evsession_is_sure_(seat->cluster))
			take_right(seat, EVRIGHT_WRITE);
	} else if (!seat->watching)
		evmessages_watch_(seat);
}

static void
go_on_reading(struct evseat *seat)
{
	if (seat->reader_token == 0)
		evmessages_get_token_(seat);
	else if (seat->right == EVRIGHT_NONE && !seat->recalled &&
		 evsession_is_sure_(seat->cluster))
		take_right(seat, EVRIGHT_READ);
	else if (seat->seen != EVSEAT_READING)
		evmessages_look_(seat, EVSEAT_READING);
}

static void
go_on_to_read(struct evseat *seat)
{
	if (seat->clear)
		evmessages_join_(seat);
	else if (seat->seen != EVSEAT_TO_READ)
		evmessages_look_(seat, EVSEAT_TO_READ);
	else if (!seat->watching)
		evmessages_watch_(seat);
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
	       seat->seen == EVSEAT_TO_WRITE &&
	       evmessages_is_reader_(seat, seat->in_the_way);
}

static bool
is_watching_own(const struct evseat *seat)
{
	if (seat->right == EVRIGHT_WRITE || waits_for_reader(seat))
		return evmessages_is_own_writer_(seat, seat->own_watched);
	return seat->right == EVRIGHT_NONE || !seat->reads ||
	       evmessages_is_own_reader_(seat, seat->own_watched);
}

static bool
may_send(const struct evseat *seat)
{
	return seat->pending == 0 && !seat->pausing &&
	       seat->cluster->wire != NULL &&
	       evsession_is_connected_(seat->cluster);
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
	if (give_back(seat) || !evseat_is_wanted_(seat))
		return;
	if (!is_watching_own(seat))
		evmessages_watch_own_(seat);
	if (seat->need.right == EVRIGHT_NONE && !seat->reads)
		return;
	if (!seat->ready || !seat->member)
		open_lock(seat);
	else if (wants_to_write(seat))
		go_on_to_write(seat);
	else if (seat->reads)
		go_on_reading(seat);
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
	evseat_forget_line_(seat);
}

/* Nobody is in line any more if it was the only one, at the version that was seen. */
static void
see_departure(struct evseat *seat)
{
	const bool clear = seat->seen == EVSEAT_TO_READ && seat->only;

	forget_what_was_seen(seat);
	seat->clear = clear;
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
	seat->writer_token = 0;
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
finish_removal(struct evseat *seat, bool *there)
{
	*there = false;
	seat->seen = EVSEAT_UNSEEN;
	if (!seat->reads)
		seat->recalled = false;
	tidy(seat);
	/* Those who read may be let in, who could not be beside one who writes. */
	if (seat->right == EVRIGHT_READ)
		evseat_set_right_(seat, EVRIGHT_READ);
}

/* Those that were in line beside it are seen without a look. */
static void
finish_writing(struct evseat *seat)
{
	finish_removal(seat, &seat->writes);
	if (seat->last[0] != '\0' && !seat->reads)
		evmessages_wait_for_last_(seat);
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

/* Who has lined up since comes after those that are let in now: it is seen by the next
 * look. */
static void
finish_joined(struct evseat *seat, bool stepped_down)
{
	if (!stepped_down)
		seat->recalled = false;
	if (stepped_down || seat->in_the_way[0] == '\0')
		finish_look(seat);
	else
		seat->seen = EVSEAT_UNSEEN;
}

static void
finish_join(struct evseat *seat, bool stepped_down)
{
	if (seat->error == EVWIRE_OK) {
		finish_joined(seat, stepped_down);
		return;
	}
	/* One try: then it looks. */
	seat->seen = EVSEAT_UNSEEN;
	evseat_forget_line_(seat);
	if (seat->error == EVWIRE_NO_NODE)
		seat->ready = false;
	seat->unsure |= seat->error == EVWIRE_EXISTS || stepped_down;
}

static void
finish_line_up(struct evseat *seat)
{
	if (!seat->reads)
		seat->recalled = false;
	finish_look(seat);
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
	else if (step == EVSEAT_JOIN || step == EVSEAT_STEP_DOWN)
		finish_join(seat, step == EVSEAT_STEP_DOWN);
	else if (step == EVSEAT_LINE_UP || step == EVSEAT_STEP_UP)
		finish_line_up(seat);
	else if (step == EVSEAT_LOOK)
		finish_look(seat);
	else if (step == EVSEAT_GET_TOKEN)
		finish_get_token(seat);
	else if (step == EVSEAT_WATCH && seat->error == EVWIRE_NO_NODE)
		see_departure(seat);
	else if (step == EVSEAT_REMOVE_READER)
		finish_removal(seat, &seat->reads);
	else if (step == EVSEAT_REMOVE_WRITER)
		finish_writing(seat);
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

/* Who comes is heeded by those that read: of a try to join a watch may be left. */
static bool
is_heeded(const struct evseat *seat, const char *path)
{
	return strcmp(path, seat->in_the_way) == 0 ||
	       (seat->reads && strcmp(path, seat->path) == 0);
}

static void
take_change(struct evseat *seat, const char *path, bool gone)
{
	const enum evseat_step step = seat->step;

	if (seat->writes && evmessages_is_own_writer_(seat, path)) {
		if (step != EVSEAT_REMOVE_WRITER && step != EVSEAT_STEP_DOWN)
			lose_own(seat, &seat->writes);
	} else if (seat->reads && evmessages_is_own_reader_(seat, path)) {
		if (step != EVSEAT_REMOVE_READER && step != EVSEAT_STEP_UP)
			lose_own(seat, &seat->reads);
	} else if (strcmp(path, seat->in_the_way) == 0 && gone) {
		see_departure(seat);
	} else if (is_heeded(seat, path)) {
		forget_what_was_seen(seat);
	}
}

static void
node_changed(struct evseat *seat, const char *path, bool gone)
{
	evseat_use_(seat);
	take_change(seat, path, gone);
	/* It tells once, and the next node to read with has the same name. */
	if (strcmp(path, seat->own_watched) == 0)
		seat->own_watched[0] = '\0';
	go_on(seat);
	evseat_unuse_(seat);
}

const struct evmessages_handler evrecipe_ = {.finished = step_finished,
    .unsent = step_unsent,
    .changed = node_changed,
    .go_on = look_what_is_next};
