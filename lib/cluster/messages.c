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
path_of(
    const struct evseat *seat, const char *below, const char *name, char *path)
{
	snprintf(path, EVNAMES_PATH, "%.420s%s/%.63s", seat->path, below, name);
}

static void
path_of_readers(const struct evseat *seat, char *path)
{
	path_of(seat, "", "r", path);
}

static void
path_of_reader(const struct evseat *seat, char *path)
{
	char name[EVNAMES_NODE];

	own_name(seat, 'r', name);
	path_of(seat, "/r", name, path);
}

static void
path_of_writer(const struct evseat *seat, char *path)
{
	path_of(seat, "", seat->writer.name, path);
}

static void
path_of_member(const struct evseat *seat, char *path)
{
	char name[EVNAMES_NODE];

	own_name(seat, 'm', name);
	path_of(seat, "", name, path);
}

bool
evmessages_is_own_writer_(const struct evseat *seat, const char *path)
{
	char own[EVNAMES_PATH];

	path_of_writer(seat, own);
	return strcmp(own, path) == 0;
}

bool
evmessages_is_own_reader_(const struct evseat *seat, const char *path)
{
	char own[EVNAMES_PATH];

	path_of_reader(seat, own);
	return strcmp(own, path) == 0;
}

bool
evmessages_is_reader_(const struct evseat *seat, const char *path)
{
	char readers[EVNAMES_PATH];

	path_of_readers(seat, readers);
	return strncmp(path, readers, strlen(readers)) == 0 &&
	       path[strlen(readers)] == '/';
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
list_line(struct evseat *seat, bool watch)
{
	struct evwire *wire = seat->cluster->wire;

	seat->in_the_way[0] = '\0';
	seat->watching = false;
	evseat_forget_line_(seat);
	count_sent(
	    seat, wire->type->list(wire, seat->path, watch, &seat->line));
}

static void
list_readers(struct evseat *seat)
{
	struct evwire *wire = seat->cluster->wire;
	char path[EVNAMES_PATH];

	path_of_readers(seat, path);
	count_sent(seat, wire->type->list(wire, path, false, &seat->readers));
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
	list_line(seat, false);
	list_readers(seat);
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

/* The servers remove a container when its last child goes, and not before it had one: so
 * that of the readers is made when somebody comes to read. */
void
evmessages_open_(struct evseat *seat)
{
	const struct who who = describe_process();
	const bool reads =
	    seat->need.right != EVRIGHT_WRITE || seat->need.reading > 0;
	struct evwire *wire = seat->cluster->wire;
	char path[EVNAMES_PATH];

	begin(seat, EVSEAT_OPEN);
	seat->seen = EVSEAT_UNSEEN;
	evseat_forget_line_(seat);
	count_sent(seat, wire->type->create(wire, seat->path, EVWIRE_CONTAINER,
			     "", &seat->line));
	path_of_readers(seat, path);
	if (reads)
		count_sent(seat, wire->type->create(wire, path,
				     EVWIRE_CONTAINER, "", &seat->readers));
	path_of_member(seat, path);
	count_sent(seat, wire->type->create(wire, path, EVWIRE_EPHEMERAL,
			     who.text, &seat->change));
	end_sending(seat);
}

/* It looks at once, which saves a way there and back. */
static void
send_line_up(struct evseat *seat, const char *left)
{
	const struct who who = describe_process();
	struct evwire *wire = seat->cluster->wire;
	char prefix[EVNAMES_NODE], path[EVNAMES_PATH];
	const struct evwire_line_up line_up = {.parent = seat->path,
	    .prefix = path,
	    .data = who.text,
	    .left = left};

	seat->looking = EVSEAT_TO_WRITE;
	own_name(seat, 'w', prefix);
	path_of(seat, "", prefix, path);
	strcat(path, "-");
	count_sent(seat, wire->type->line_up(wire, &line_up, &seat->change));
	list_line(seat, false);
	list_readers(seat);
	end_sending(seat);
}

void
evmessages_line_up_(struct evseat *seat)
{
	begin(seat, EVSEAT_LINE_UP);
	send_line_up(seat, NULL);
}

void
evmessages_step_up_(struct evseat *seat)
{
	char left[EVNAMES_PATH];

	begin(seat, EVSEAT_STEP_UP);
	path_of_reader(seat, left);
	send_line_up(seat, left);
}

/* It has itself told who comes at once, too. */
static void
send_join(struct evseat *seat, const char *left)
{
	const struct who who = describe_process();
	struct evwire *wire = seat->cluster->wire;
	char readers[EVNAMES_PATH], path[EVNAMES_PATH], member[EVNAMES_PATH];
	const struct evwire_join join = {.checked = seat->path,
	    .version = seat->version,
	    .there = member,
	    .left = left,
	    .path = path,
	    .data = who.text,
	    .beside = readers};

	seat->looking = EVSEAT_READING;
	path_of_readers(seat, readers);
	path_of_reader(seat, path);
	path_of_member(seat, member);
	count_sent(seat, wire->type->join(wire, &join, &seat->change));
	list_line(seat, true);
	end_sending(seat);
}

void
evmessages_join_(struct evseat *seat)
{
	begin(seat, EVSEAT_JOIN);
	seat->reader_token = 0;
	send_join(seat, NULL);
}

void
evmessages_step_down_(struct evseat *seat)
{
	char left[EVNAMES_PATH];

	begin(seat, EVSEAT_STEP_DOWN);
	/* What it has written with: the node is younger than those that wait to write, and
	 * they are to have higher ones. */
	seat->reader_token = seat->token;
	path_of_writer(seat, left);
	send_join(seat, left);
}

void
evmessages_look_(struct evseat *seat, enum evseat_view view)
{
	begin(seat, EVSEAT_LOOK);
	seat->looking = view;
	list_line(seat, view == EVSEAT_READING);
	if (view == EVSEAT_TO_WRITE)
		list_readers(seat);
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
evmessages_wait_for_last_(struct evseat *seat)
{
	path_of(seat, "", seat->last, seat->in_the_way);
	seat->seen = EVSEAT_TO_READ;
	seat->watching = false;
}

void
evmessages_get_token_(struct evseat *seat)
{
	struct evwire *wire = seat->cluster->wire;
	char path[EVNAMES_PATH];

	begin(seat, EVSEAT_GET_TOKEN);
	if (seat->writes)
		path_of_writer(seat, path);
	else
		path_of_reader(seat, path);
	send_one(seat, wire->type->exists(wire, path, false, &seat->change));
}

static void
send_removal(struct evseat *seat, const char *path)
{
	struct evwire *wire = seat->cluster->wire;

	send_one(seat, wire->type->remove(wire, path, &seat->change));
}

void
evmessages_remove_reader_(struct evseat *seat)
{
	char path[EVNAMES_PATH];

	begin(seat, EVSEAT_REMOVE_READER);
	path_of_reader(seat, path);
	send_removal(seat, path);
}

void
evmessages_remove_writer_(struct evseat *seat)
{
	char path[EVNAMES_PATH];

	begin(seat, EVSEAT_REMOVE_WRITER);
	path_of_writer(seat, path);
	send_removal(seat, path);
}

void
evmessages_close_(struct evseat *seat)
{
	char path[EVNAMES_PATH];

	begin(seat, EVSEAT_CLOSE);
	path_of_member(seat, path);
	send_removal(seat, path);
}

void
evmessages_watch_own_(struct evseat *seat)
{
	struct evwire *wire = seat->cluster->wire;

	if (seat->own_pending)
		return;
	if (seat->right == EVRIGHT_WRITE || seat->right == EVRIGHT_NONE)
		path_of_writer(seat, seat->own_watched);
	else
		path_of_reader(seat, seat->own_watched);
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

/* What was told before that is seen by the lists that were asked for after it; its own
 * node is told, too. */
static void
take_place(struct evseat *seat, const struct evwire_answer *answer)
{
	const char *name = strrchr(answer->created, '/');

	seat->missed = false;
	if (seat->step == EVSEAT_STEP_UP)
		seat->reads = false;
	seat->writes =
	    name != NULL && evnames_read_writer_(name + 1, &seat->writer);
	seat->writer_token = answer->zxid;
	if (!seat->writes)
		note_error(seat, EVWIRE_BAD);
}

/* What it steps down from is gone then. */
static void
take_reading(struct evseat *seat, const struct evwire_answer *answer)
{
	seat->reads = true;
	if (seat->step == EVSEAT_JOIN) {
		seat->reader_token = answer->zxid;
		return;
	}
	seat->writes = seat->lowered = false;
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
	if (seat->step == EVSEAT_LINE_UP || seat->step == EVSEAT_STEP_UP)
		take_place(seat, answer);
	else if (seat->step == EVSEAT_JOIN || seat->step == EVSEAT_STEP_DOWN)
		take_reading(seat, answer);
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

/* What of its own is there. */
static void
find_own_in_line(struct evseat *seat, const char *name)
{
	char prefix[EVNAMES_NODE];
	size_t length;

	own_name(seat, 'm', prefix);
	if (strcmp(name, prefix) == 0)
		seat->member = true;
	own_name(seat, 'w', prefix);
	length = strlen(prefix);
	if (strncmp(name, prefix, length) != 0 || name[length] != '-')
		return;
	seat->writes = evnames_read_writer_(name, &seat->writer);
	if (!seat->writes)
		note_error(seat, EVWIRE_BAD);
}

/* Who else is in line. */
struct others {
	size_t count;
	struct evnode_writer last;
	struct evnode_writer
	    nearest; /* before its own; the last if it has none */
};

static void
keep_later(struct evnode_writer *kept, const struct evnode_writer *writer)
{
	if (kept->name[0] == '\0' || evnames_is_before_(kept, writer))
		*kept = *writer;
}

static void
compare_writer(struct evseat *seat, const char *name, struct others *others)
{
	struct evnode_writer writer;

	if (seat->writes && strcmp(name, seat->writer.name) == 0)
		return;
	others->count++;
	if (!evnames_read_writer_(name, &writer)) {
		note_error(seat, EVWIRE_BAD);
		return;
	}
	keep_later(&others->last, &writer);
	if (seat->writes && seat->looking == EVSEAT_TO_WRITE &&
	    !evnames_is_before_(&writer, &seat->writer))
		return;
	keep_later(&others->nearest, &writer);
}

static void
note_others(struct evseat *seat, const struct others *others)
{
	seat->clear = others->count == 0;
	seat->only = others->count == 1;
	memcpy(seat->last, others->last.name, sizeof(seat->last));
	if (others->nearest.name[0] != '\0')
		path_of(seat, "", others->nearest.name, seat->in_the_way);
}

static void
see_line(struct evseat *seat, const struct evwire_answer *answer)
{
	struct others others = {.count = 0};
	bool own = false;
	size_t i;

	seat->version = answer->version;
	for (i = 0; i < answer->count; i++) {
		const char *name = answer->names[i];

		if (seat->step == EVSEAT_FIND)
			find_own_in_line(seat, name);
		else if (evnames_is_writer_(name))
			compare_writer(seat, name, &others);
		own |= strcmp(name, seat->writer.name) == 0;
	}
	/* An operator may have removed it. */
	seat->writes &= own;
	if (seat->step != EVSEAT_FIND)
		note_others(seat, &others);
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

/* One of the others, if nobody who wants to write is in the way. */
static void
see_readers(struct evseat *seat, const struct evwire_answer *answer)
{
	char own[EVNAMES_NODE];
	size_t i;

	own_name(seat, 'r', own);
	for (i = 0; i < answer->count; i++) {
		const char *name = answer->names[i];

		if (strcmp(name, own) == 0) {
			if (seat->step == EVSEAT_FIND)
				seat->reads = true;
		} else if (strlen(name) >= EVNAMES_NODE) {
			note_error(seat, EVWIRE_BAD);
		} else if (seat->in_the_way[0] == '\0') {
			path_of(seat, "/r", name, seat->in_the_way);
		}
	}
}

/* Where it is not, nobody reads. */
static void
readers_answered(
    struct evwire_request *request, const struct evwire_answer *answer)
{
	struct evseat *seat = EVLIST_ELEMENT(request, struct evseat, readers);
	const bool missing = answer->error == EVWIRE_NO_NODE;

	if (seat->step == EVSEAT_OPEN) {
		answered(seat, error_of_making(answer));
		return;
	}
	if (answer->error == EVWIRE_OK)
		see_readers(seat, answer);
	if (missing && seat->step == EVSEAT_FIND)
		seat->ready = false;
	answered(seat, missing ? EVWIRE_OK : answer->error);
}

/* It may have the node of another right by now. */
static void
own_answered(struct evwire_request *request, const struct evwire_answer *answer)
{
	struct evseat *seat = EVLIST_ELEMENT(request, struct evseat, own);

	seat->own_pending = false;
	evsession_request_answered_(seat->cluster);
	if (answer->error == EVWIRE_NO_NODE) {
		seat->handler->changed(seat, seat->own_watched, true);
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
	seat->readers.answered = readers_answered;
	seat->own.answered = own_answered;
}
