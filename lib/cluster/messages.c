/* SPDX-License-Identifier: MIT */
#include "messages-internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/*
 * Names and paths.
 */

/* The name of a node of its own that begins with that letter. */
static void
own_name(const struct evseat *seat, char letter, char *name)
{
	snprintf(name, EVNAMES_NODE, "%c-%016llx.%llu", letter,
	    (unsigned long long)seat->cluster->session,
	    (unsigned long long)seat->number);
}

static void
path_of(const struct evseat *seat, const char *name, char *path)
{
	snprintf(path, EVNAMES_PATH, "%.420s/%.63s", seat->path, name);
}

static void
path_of_place(const struct evseat *seat, enum evseat_place place, char *path)
{
	path_of(seat,
	    place == EVSEAT_WRITER ? seat->writer.name : seat->reader.name,
	    path);
}

static void
path_of_member(const struct evseat *seat, char *path)
{
	char name[EVNAMES_NODE];

	own_name(seat, 'm', name);
	path_of(seat, name, path);
}

bool
evmessages_is_own_(
    const struct evseat *seat, enum evseat_place place, const char *path)
{
	char own[EVNAMES_PATH];

	path_of_place(seat, place, own);
	return strcmp(own, path) == 0;
}

#define HOST_SIZE 65

struct who {
	char text[HOST_SIZE + 24];
};

/* What is in a node: for people, and evcluster_list(). */
static struct who
describe_process(void)
{
	struct who who;
	char host[HOST_SIZE];

	if (gethostname(host, sizeof(host)) == -1)
		strcpy(host, "?");
	host[sizeof(host) - 1] = '\0';
	snprintf(who.text, sizeof(who.text), "%s %ld", host, (long)getpid());
	return who;
}

/*
 * Sending.
 */

static void
begin(struct evseat *seat, enum evseat_step step)
{
	seat->step = step;
	seat->error = EVWIRE_OK;
	seat->missed = false;
}

static void
note_error(struct evseat *seat, enum evwire_error error)
{
	if (seat->error == EVWIRE_OK)
		seat->error = error;
}

/* What can't be sent is as if it had not been answered. */
static void
count_sent(struct evseat *seat, int result)
{
	if (result == -1) {
		note_error(
		    seat, errno == ENOTCONN ? EVWIRE_LOST : EVWIRE_OTHER);
		return;
	}
	seat->pending++;
	evsession_request_sent_(seat->cluster);
}

/* All of a step. */
static void
end_sending(struct evseat *seat)
{
	if (seat->pending == 0)
		seat->handler->unsent(seat, errno);
}

static void
send_one(struct evseat *seat, int result)
{
	count_sent(seat, result);
	end_sending(seat);
}

static void
list_line(struct evseat *seat)
{
	struct evwire *wire = seat->cluster->wire;

	seat->in_the_way[0] = '\0';
	seat->watching = false;
	count_sent(seat, wire->type->list(wire, seat->path, &seat->line));
}

void
evmessages_find_(struct evseat *seat)
{
	struct evwire *wire = seat->cluster->wire;

	begin(seat, EVSEAT_FIND);
	seat->looking = EVSEAT_UNSEEN;
	seat->reads = seat->writes = seat->member = false;
	seat->ready = true;
	count_sent(seat, wire->type->sync(wire, &seat->change));
	list_line(seat);
	end_sending(seat);
}

/* Up to the next slash. */
void
evmessages_make_root_(struct evseat *seat)
{
	const char *root = seat->cluster->options.root;
	const char *end = strchr(root + seat->root_made + 1, '/');
	struct evwire *wire = seat->cluster->wire;
	char path[EVNAMES_PATH];

	begin(seat, EVSEAT_MAKE_ROOT);
	seat->root_asked = end != NULL ? (size_t)(end - root) : strlen(root);
	snprintf(path, sizeof(path), "%.*s", (int)seat->root_asked, root);
	send_one(seat, wire->type->create(
			   wire, path, EVWIRE_PERSISTENT, "", &seat->change));
}

void
evmessages_open_(struct evseat *seat)
{
	const struct who who = describe_process();
	struct evwire *wire = seat->cluster->wire;
	char path[EVNAMES_PATH];

	begin(seat, EVSEAT_OPEN);
	seat->seen = EVSEAT_UNSEEN;
	count_sent(seat, wire->type->create(wire, seat->path, EVWIRE_CONTAINER,
			     "", &seat->line));
	path_of_member(seat, path);
	count_sent(seat, wire->type->create(wire, path, EVWIRE_EPHEMERAL,
			     who.text, &seat->change));
	end_sending(seat);
}

/* Who comes to write touches the lock, so that those that read are told; who comes to read
 * is of no concern to them.  It looks at once, which saves a way there and back. */
static void
send_move(struct evseat *seat, const char *end, bool numbered)
{
	const bool writes = seat->takes == EVSEAT_WRITER;
	const struct who who = describe_process();
	struct evwire *wire = seat->cluster->wire;
	char name[EVNAMES_NODE], path[EVNAMES_PATH];
	char left[EVNAMES_PATH], member[EVNAMES_PATH];
	const struct evwire_line_up line_up = {
	    .left = seat->leaves == EVSEAT_NO_PLACE ? NULL : left,
	    .path = path,
	    .numbered = numbered,
	    .data = who.text,
	    .touched = writes ? seat->path : member};

	own_name(seat, writes ? 'w' : 'r', name);
	path_of(seat, name, path);
	strcat(path, end);
	path_of_place(seat, seat->leaves, left);
	path_of_member(seat, member);
	count_sent(seat, wire->type->line_up(wire, &line_up, &seat->change));
	list_line(seat);
	end_sending(seat);
}

static void
begin_move(
    struct evseat *seat, enum evseat_place leaves, enum evseat_place takes)
{
	begin(seat, EVSEAT_MOVE);
	seat->leaves = leaves;
	seat->takes = takes;
	seat->looking =
	    takes == EVSEAT_WRITER ? EVSEAT_TO_WRITE : EVSEAT_TO_READ;
}

static void
remove_place(struct evseat *seat)
{
	struct evwire *wire = seat->cluster->wire;
	char path[EVNAMES_PATH];

	path_of_place(seat, seat->leaves, path);
	send_one(seat, wire->type->remove(wire, path, &seat->change));
}

void
evmessages_move_(
    struct evseat *seat, enum evseat_place leaves, enum evseat_place takes)
{
	begin_move(seat, leaves, takes);
	if (takes == EVSEAT_NO_PLACE)
		remove_place(seat);
	else
		send_move(seat, "-", true);
}

void
evmessages_step_down_(struct evseat *seat)
{
	begin_move(seat, EVSEAT_WRITER, EVSEAT_READER);
	send_move(seat, strrchr(seat->writer.name, '-'), false);
}

void
evmessages_look_(struct evseat *seat, enum evseat_view view)
{
	struct evwire *wire = seat->cluster->wire;

	begin(seat, EVSEAT_LOOK);
	seat->looking = view;
	if (view == EVSEAT_READING)
		count_sent(seat,
		    wire->type->get(wire, seat->path, true, &seat->change));
	list_line(seat);
	end_sending(seat);
}

void
evmessages_watch_(struct evseat *seat)
{
	struct evwire *wire = seat->cluster->wire;

	begin(seat, EVSEAT_WATCH);
	/* No watch is to be left of one that is gone by then: the names of those in line do
	 * not come again. */
	send_one(
	    seat, wire->type->get(wire, seat->in_the_way, true, &seat->change));
}

void
evmessages_get_token_(struct evseat *seat)
{
	struct evwire *wire = seat->cluster->wire;
	char path[EVNAMES_PATH];

	begin(seat, EVSEAT_GET_TOKEN);
	path_of_place(seat, seat->writes ? EVSEAT_WRITER : EVSEAT_READER, path);
	send_one(seat, wire->type->exists(wire, path, false, &seat->change));
}

void
evmessages_close_(struct evseat *seat)
{
	struct evwire *wire = seat->cluster->wire;
	char path[EVNAMES_PATH];

	begin(seat, EVSEAT_CLOSE);
	path_of_member(seat, path);
	send_one(seat, wire->type->remove(wire, path, &seat->change));
}

void
evmessages_watch_own_(struct evseat *seat)
{
	struct evwire *wire = seat->cluster->wire;

	if (seat->own_pending)
		return;
	path_of_place(seat,
	    seat->right == EVRIGHT_READ ? EVSEAT_READER : EVSEAT_WRITER,
	    seat->own_watched);
	seat->own_pending =
	    wire->type->exists(wire, seat->own_watched, true, &seat->own) == 0;
	if (seat->own_pending)
		evsession_request_sent_(seat->cluster);
	else
		seat->own_watched[0] = '\0';
}

/*
 * Answers.
 */

static void
answered(struct evseat *seat, enum evwire_error error)
{
	evsession_request_answered_(seat->cluster);
	if (error != EVWIRE_OK)
		note_error(seat, error);
	if (--seat->pending == 0)
		seat->handler->finished(seat);
}

/* Somebody else may have made it. */
static enum evwire_error
error_of_making(const struct evwire_answer *answer)
{
	return answer->error == EVWIRE_EXISTS ? EVWIRE_OK : answer->error;
}

/* One of its own is there. */
static void
take_place(struct evseat *seat, const char *name, uint64_t token)
{
	const bool writes = evnames_is_writer_(name);
	struct evplace *place = writes ? &seat->writer : &seat->reader;
	const bool known = evnames_read_place_(name, place);

	if (!known)
		note_error(seat, EVWIRE_BAD);
	*(writes ? &seat->writes : &seat->reads) = known;
	*(writes ? &seat->writer_token : &seat->reader_token) = token;
}

/* What was told before that is seen by the list that was asked for after it; its own node
 * is told, too. */
static void
finish_move(struct evseat *seat, const struct evwire_answer *answer)
{
	const char *slash = strrchr(answer->created, '/');

	seat->missed = false;
	evseat_leave_place_(seat);
	take_place(seat, slash != NULL ? slash + 1 : "", answer->zxid);
}

static void
take_token(struct evseat *seat, const struct evwire_answer *answer)
{
	if (seat->writes)
		seat->writer_token = answer->zxid;
	else
		seat->reader_token = answer->zxid;
}

static void
take_change(struct evseat *seat, const struct evwire_answer *answer)
{
	if (seat->step == EVSEAT_MOVE && seat->takes != EVSEAT_NO_PLACE)
		finish_move(seat, answer);
	else if (seat->step == EVSEAT_GET_TOKEN)
		take_token(seat, answer);
	else if (seat->step == EVSEAT_WATCH)
		seat->watching = true;
}

static void
change_answered(
    struct evwire_request *request, const struct evwire_answer *answer)
{
	struct evseat *seat = EVLIST_ELEMENT(request, struct evseat, change);
	const bool making =
	    seat->step == EVSEAT_OPEN || seat->step == EVSEAT_MAKE_ROOT;

	if (answer->error == EVWIRE_OK)
		take_change(seat, answer);
	answered(seat, making ? error_of_making(answer) : answer->error);
}

static bool
is_own_place(const struct evseat *seat, char letter, const char *name)
{
	char prefix[EVNAMES_NODE];
	size_t length;

	own_name(seat, letter, prefix);
	length = strlen(prefix);
	return strncmp(name, prefix, length) == 0 && name[length] == '-';
}

/* What of its own is there. */
static void
find_own(struct evseat *seat, const char *name)
{
	char member[EVNAMES_NODE];

	own_name(seat, 'm', member);
	if (strcmp(name, member) == 0)
		seat->member = true;
	else if (is_own_place(seat, 'w', name) || is_own_place(seat, 'r', name))
		take_place(seat, name, 0);
}

/* What it has in line for what it looks for; NULL: nothing. */
static const struct evplace *
own_place(const struct evseat *seat)
{
	if (seat->looking == EVSEAT_TO_WRITE)
		return seat->writes ? &seat->writer : NULL;
	return seat->looking == EVSEAT_TO_READ && seat->reads ? &seat->reader
							      : NULL;
}

/* Who is the last before it. */
static void
compare_place(struct evseat *seat, const char *name, struct evplace *last)
{
	const struct evplace *own = own_place(seat);
	struct evplace other;

	if (!evnames_read_place_(name, &other)) {
		note_error(seat, EVWIRE_BAD);
		return;
	}
	if (own != NULL && !evnames_is_before_(&other, own))
		return;
	if (last->name[0] == '\0' || evnames_is_before_(last, &other))
		*last = other;
}

/* Those that read keep out who writes, and not each other. */
static bool
is_heeded(const struct evseat *seat, const char *name)
{
	if (strcmp(name, seat->writer.name) == 0 ||
	    strcmp(name, seat->reader.name) == 0)
		return false;
	return evnames_is_writer_(name) ||
	       (evnames_is_reader_(name) && seat->looking == EVSEAT_TO_WRITE);
}

static void
see_line(struct evseat *seat, const struct evwire_answer *answer)
{
	struct evplace last = {.name = ""};
	bool reads = false, writes = false;
	size_t i;

	for (i = 0; i < answer->count; i++) {
		const char *name = answer->names[i];

		if (seat->step == EVSEAT_FIND)
			find_own(seat, name);
		else if (is_heeded(seat, name))
			compare_place(seat, name, &last);
		reads |= strcmp(name, seat->reader.name) == 0;
		writes |= strcmp(name, seat->writer.name) == 0;
	}
	/* An operator may have removed them. */
	seat->reads &= reads;
	seat->writes &= writes;
	if (last.name[0] != '\0')
		path_of(seat, last.name, seat->in_the_way);
}

static void
line_answered(
    struct evwire_request *request, const struct evwire_answer *answer)
{
	struct evseat *seat = EVLIST_ELEMENT(request, struct evseat, line);
	enum evwire_error error = answer->error;

	if (seat->step == EVSEAT_OPEN) {
		answered(seat, error_of_making(answer));
		return;
	}
	if (error == EVWIRE_OK)
		see_line(seat, answer);
	if (seat->step == EVSEAT_FIND && error == EVWIRE_NO_NODE) {
		seat->ready = false;
		error = EVWIRE_OK;
	}
	answered(seat, error);
}

/* It may have the node of another right by now. */
static void
own_answered(struct evwire_request *request, const struct evwire_answer *answer)
{
	struct evseat *seat = EVLIST_ELEMENT(request, struct evseat, own);

	seat->own_pending = false;
	evsession_request_answered_(seat->cluster);
	if (answer->error == EVWIRE_NO_NODE) {
		seat->handler->changed(seat, seat->own_watched);
		return;
	}
	if (answer->error != EVWIRE_OK)
		seat->own_watched[0] = '\0';
	seat->pausing |= answer->error == EVWIRE_OTHER;
	seat->handler->go_on(seat);
}

void
evmessages_init_(struct evseat *seat, const struct evmessages_handler *handler)
{
	seat->handler = handler;
	seat->change.answered = change_answered;
	seat->line.answered = line_answered;
	seat->own.answered = own_answered;
}
