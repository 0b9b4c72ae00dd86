/* SPDX-License-Identifier: MIT */
/*
 * What a client has said about itself.
 */
#include "session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <evdefer/owner.h>

#include "call.h"
#include "client.h"
#include "command.h"
#include "loop.h"
#include "server.h"

/* The longest name of a client or library. */
#define MAX_NAME 256

void
session_init(struct session *session, unsigned long long id)
{
	memset(session, 0, sizeof(*session));
	session->id = id;
}

void
session_destroy(struct session *session)
{
	free(session->name);
	free(session->library);
	free(session->library_version);
}

/*
 * Names.
 */

static bool
is_name(struct bytes bytes)
{
	size_t i;

	for (i = 0; i < bytes.length; i++)
		if (bytes.data[i] < '!' || bytes.data[i] > '~')
			return false;
	return bytes.length <= MAX_NAME;
}

/* Replies an error and gives false if it is none. */
static bool
check_name(struct call *call, struct bytes name, const char *what)
{
	if (is_name(name))
		return true;
	reply_error(&call->reply,
	    "ERR %s has at most %d bytes, none of them a blank or special "
	    "character",
	    what, MAX_NAME);
	return false;
}

/* An empty name is none.  Replies an error and gives false without memory. */
static bool
set_name(struct call *call, char **name, struct bytes bytes)
{
	char *copy = NULL;

	if (bytes.length > 0 && (copy = strdup(bytes.data)) == NULL) {
		reply_error(&call->reply, "ERR out of memory");
		return false;
	}
	free(*name);
	*name = copy;
	return true;
}

static const char *
text_of(const char *name)
{
	return name != NULL ? name : "";
}

/*
 * HELLO
 */

/* What may follow the version.  Each sets what it found, and nothing is done
 * before all of it is known to be right. */
static bool
parse_hello(struct call *call, struct bytes *name)
{
	size_t i;

	for (i = 2; i < argument_count(call); i += 2) {
		if (argument_is(call, i, "auth")) {
			run_auth(call);
			return false;
		}
		if (!argument_is(call, i, "setname") ||
		    i + 1 == argument_count(call)) {
			syntax_error(call);
			return false;
		}
		*name = argument(call, i + 1);
	}
	return name->data == NULL ||
	       check_name(call, *name, "the name of a client");
}

static void
reply_hello(struct call *call)
{
	struct reply *reply = &call->reply;

	reply_map(reply, 7);
	reply_string(reply, "server");
	reply_string(reply, "kvd");
	reply_string(reply, "version");
	reply_string(reply, PACKAGE_VERSION);
	reply_string(reply, "proto");
	reply_integer(reply, reply->version);
	reply_string(reply, "id");
	reply_integer(reply, (long long)call->session.id);
	reply_string(reply, "mode");
	reply_string(reply, "standalone");
	reply_string(reply, "role");
	reply_string(reply, "master");
	reply_string(reply, "modules");
	reply_array(reply, 0);
}

struct evresult
run_hello(struct call *call)
{
	struct bytes name = {NULL, 0};
	long long version = call->reply.version;

	if (argument_count(call) > 1 &&
	    (bytes_to_number(argument(call, 1), &version) == -1 ||
		version < 2 || version > 3)) {
		reply_error(&call->reply,
		    "NOPROTO kvd speaks the versions 2 and 3 of the protocol");
		return done();
	}
	if (!parse_hello(call, &name))
		return done();
	if (name.data != NULL && !set_name(call, &call->session.name, name))
		return done();
	call->reply.version = (int)version;
	reply_hello(call);
	return done();
}

/*
 * CLIENT
 */

static void
client_id(struct call *call)
{
	reply_integer(&call->reply, (long long)call->session.id);
}

static void
client_getname(struct call *call)
{
	if (call->session.name != NULL)
		reply_string(&call->reply, call->session.name);
	else
		reply_value(&call->reply, NULL);
}

static void
client_setname(struct call *call)
{
	const struct bytes name = argument(call, 2);

	if (check_name(call, name, "the name of a client") &&
	    set_name(call, &call->session.name, name))
		reply_status(&call->reply, "OK");
}

static void
client_setinfo(struct call *call)
{
	const struct bytes value = argument(call, 3);
	char **name;

	if (argument_is(call, 2, "lib-name")) {
		name = &call->session.library;
	} else if (argument_is(call, 2, "lib-ver")) {
		name = &call->session.library_version;
	} else {
		reply_error(&call->reply,
		    "ERR CLIENT SETINFO knows LIB-NAME and LIB-VER");
		return;
	}
	if (check_name(call, value, "what a client says of its library") &&
	    set_name(call, name, value))
		reply_status(&call->reply, "OK");
}

static void
client_info(struct call *call)
{
	const struct session *session = &call->session;
	const struct transaction *transaction = &call->transaction;
	const long queued =
	    transaction_is_open(transaction) ? (long)transaction->count : -1;
	char line[5 * MAX_NAME];

	snprintf(line, sizeof(line),
	    "id=%llu addr=%s name=%s lib-name=%s lib-ver=%s resp=%d "
	    "multi=%ld io-thread=%u\n",
	    session->id, evowner_get_name(call->holder.owner),
	    text_of(session->name), text_of(session->library),
	    text_of(session->library_version), call->reply.version, queued,
	    call->loop->number);
	reply_text(&call->reply, line, strlen(line));
}

struct evresult
run_client(struct call *call)
{
	static const struct {
		const char *name;
		size_t arguments;
		void (*run)(struct call *call);
	} subcommands[] = {
	    {"id", 2, client_id},
	    {"getname", 2, client_getname},
	    {"setname", 3, client_setname},
	    {"setinfo", 4, client_setinfo},
	    {"info", 2, client_info},
	};
	size_t i;

	for (i = 0; i < sizeof(subcommands) / sizeof(subcommands[0]); i++) {
		if (!argument_is(call, 1, subcommands[i].name))
			continue;
		if (argument_count(call) != subcommands[i].arguments)
			return wrong_number(call);
		subcommands[i].run(call);
		return done();
	}
	reply_error(&call->reply,
	    "ERR unknown subcommand '%.64s'; CLIENT knows ID, INFO, GETNAME, "
	    "SETNAME and SETINFO",
	    argument(call, 1).data);
	return done();
}

/*
 * What there is only one of, or none.
 */

struct evresult
run_select(struct call *call)
{
	long long number;

	if (bytes_to_number(argument(call, 1), &number) == -1)
		reply_error(&call->reply, "ERR invalid DB index");
	else if (number != 0)
		reply_error(&call->reply,
		    "ERR DB index is out of range: kvd has database 0 alone");
	else
		reply_status(&call->reply, "OK");
	return done();
}

/* Who gives a password expects to be asked for one. */
struct evresult
run_auth(struct call *call)
{
	reply_error(&call->reply,
	    "ERR kvd has no passwords: connect without one, or see to it that "
	    "nobody else can connect");
	return done();
}

/*
 * The rest.
 */

struct evresult
run_ping(struct call *call)
{
	if (argument_count(call) > 2)
		return wrong_number(call);
	if (argument_count(call) == 2)
		reply_bulk(&call->reply, argument(call, 1));
	else
		reply_status(&call->reply, "PONG");
	return done();
}

struct evresult
run_echo(struct call *call)
{
	reply_bulk(&call->reply, argument(call, 1));
	return done();
}

struct evresult
run_quit(struct call *call)
{
	reply_status(&call->reply, "OK");
	client_close_after_reply(call);
	return done();
}

/* As if it had come just now. */
struct evresult
run_reset(struct call *call)
{
	transaction_destroy(&call->transaction);
	free(call->session.name);
	call->session.name = NULL;
	call->reply.version = 2;
	reply_status(&call->reply, "RESET");
	return done();
}
