/* SPDX-License-Identifier: MIT */
/* The fake of the other tests is as ZooKeeper is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake.h"
#include "../support.h"

#define MOST_NAMES 16

/* What came of one request. */
struct reply {
	struct evwire_request request;
	int came; /* in which place of all that came, from 1 */
	enum evwire_error error;
	uint64_t zxid;
	size_t count;
	char names[MOST_NAMES][64];
	char created[128];
	char data[64];
};

/* One that uses a wire, and what it was told. */
struct client {
	struct evwire *wire;
	int number; /* of the wire */
	uint64_t session;
	int connected, suspended, expired, refused, changed;
	int came; /* the last event */
	char path[128];
};

static struct fake *fake;
static int came; /* answers and events so far */

static void
note_reply(struct evwire_request *request, const struct evwire_answer *answer)
{
	struct reply *reply = (struct reply *)request;
	size_t i;

	ck_assert_int_eq(reply->came, 0);
	ck_assert_ptr_nonnull(answer->sentence);
	reply->came = ++came;
	reply->error = answer->error;
	reply->zxid = answer->zxid;
	reply->count = answer->count;
	for (i = 0; i < answer->count && i < MOST_NAMES; i++)
		snprintf(reply->names[i], sizeof(reply->names[i]), "%s",
		    answer->names[i]);
	if (answer->created != NULL)
		snprintf(reply->created, sizeof(reply->created), "%s",
		    answer->created);
	if (answer->data != NULL)
		snprintf(reply->data, sizeof(reply->data), "%.*s",
		    (int)answer->length, answer->data);
}

static struct evwire_request *
to(struct reply *reply)
{
	memset(reply, 0, sizeof(*reply));
	reply->request.answered = note_reply;
	return &reply->request;
}

static void
note_connected(void *arg, const char *server, uint64_t session, int timeout_ms)
{
	struct client *client = arg;

	ck_assert_ptr_nonnull(server);
	ck_assert_int_eq(timeout_ms, 15000);
	client->session = session;
	client->connected++;
}

static void
note_suspended(void *arg, const char *why)
{
	ck_assert_ptr_nonnull(why);
	((struct client *)arg)->suspended++;
}

static void
note_expired(void *arg)
{
	((struct client *)arg)->expired++;
}

static void
note_refused(void *arg)
{
	((struct client *)arg)->refused++;
}

static void
note_changed(void *arg, const char *path)
{
	struct client *client = arg;

	client->changed++;
	client->came = ++came;
	snprintf(client->path, sizeof(client->path), "%s", path);
}

static const struct evwire_handler handler = {
    note_connected, note_suspended, note_expired, note_refused, note_changed};

static void
open_client(struct client *client, bool creator_only)
{
	const struct evwire_setting setting = {
	    base, "127.0.0.1:2181", 15000, creator_only, &handler, client};
	int i;

	memset(client, 0, sizeof(*client));
	client->wire = fake_open(&setting);
	ck_assert_ptr_nonnull(client->wire);
	for (i = 0; client->wire != &fake->wires[i].wire; i++)
		;
	client->number = i;
}

static void
start_client(struct client *client)
{
	open_client(client, false);
	fake_run(fake);
	ck_assert_int_eq(client->connected, 1);
}

static void
end_client(struct client *client)
{
	client->wire->type->close(client->wire);
}

/*
 * One request, until it is answered.
 */

static struct reply
create(struct client *c, const char *path, enum evwire_kind kind)
{
	struct reply reply;

	ck_assert_int_eq(
	    c->wire->type->create(c->wire, path, kind, "data", to(&reply)), 0);
	ck_assert_int_eq(reply.came, 0);
	fake_run(fake);
	ck_assert_int_ne(reply.came, 0);
	return reply;
}

static struct reply
list(struct client *c, const char *path)
{
	struct reply reply;

	ck_assert_int_eq(c->wire->type->list(c->wire, path, to(&reply)), 0);
	fake_run(fake);
	ck_assert_int_ne(reply.came, 0);
	return reply;
}

static struct reply
exists(struct client *c, const char *path, bool watch)
{
	struct reply reply;

	ck_assert_int_eq(
	    c->wire->type->exists(c->wire, path, watch, to(&reply)), 0);
	fake_run(fake);
	ck_assert_int_ne(reply.came, 0);
	return reply;
}

static struct reply
get(struct client *c, const char *path)
{
	struct reply reply;

	ck_assert_int_eq(
	    c->wire->type->get(c->wire, path, false, to(&reply)), 0);
	fake_run(fake);
	ck_assert_int_ne(reply.came, 0);
	return reply;
}

static struct reply
send_line_up(struct client *c, const struct evwire_line_up *line_up)
{
	struct reply reply;

	ck_assert_int_eq(
	    c->wire->type->line_up(c->wire, line_up, to(&reply)), 0);
	fake_run(fake);
	ck_assert_int_ne(reply.came, 0);
	return reply;
}

static struct reply
step_up(
    struct client *c, const char *left, const char *touched, const char *prefix)
{
	const struct evwire_line_up line_up = {.left = left,
	    .path = prefix,
	    .numbered = true,
	    .data = "me",
	    .touched = touched};

	return send_line_up(c, &line_up);
}

static struct reply
line_up(struct client *c, const char *touched, const char *prefix)
{
	return step_up(c, NULL, touched, prefix);
}

static struct reply
step_down(struct client *c, const char *left, const char *path)
{
	const struct evwire_line_up line_up = {
	    .left = left, .path = path, .data = "me", .touched = "/l"};

	return send_line_up(c, &line_up);
}

static struct reply
remove_node(struct client *c, const char *path)
{
	struct reply reply;

	ck_assert_int_eq(c->wire->type->remove(c->wire, path, to(&reply)), 0);
	fake_run(fake);
	ck_assert_int_ne(reply.came, 0);
	return reply;
}

static bool
has_name(const struct reply *reply, const char *name)
{
	size_t i;

	for (i = 0; i < reply->count; i++)
		if (strcmp(reply->names[i], name) == 0)
			return true;
	return false;
}

static void
setup(void)
{
	support_setup();
	fake = fake_start();
	came = 0;
}

START_TEST(nodes_come_and_go)
{
	struct client a;
	struct reply reply;

	start_client(&a);
	ck_assert_int_eq(
	    create(&a, "/l/x", EVWIRE_PERSISTENT).error, EVWIRE_NO_NODE);
	ck_assert_int_eq(create(&a, "/l", EVWIRE_PERSISTENT).error, EVWIRE_OK);
	ck_assert_int_eq(
	    create(&a, "/l", EVWIRE_PERSISTENT).error, EVWIRE_EXISTS);
	ck_assert_int_eq(create(&a, "/l/x", EVWIRE_EPHEMERAL).error, EVWIRE_OK);
	ck_assert_int_eq(
	    create(&a, "/l/x/y", EVWIRE_EPHEMERAL).error, EVWIRE_OTHER);
	ck_assert_int_eq(remove_node(&a, "/l").error, EVWIRE_NOT_EMPTY);
	reply = list(&a, "/l");
	ck_assert_int_eq(reply.error, EVWIRE_OK);
	ck_assert_uint_eq(reply.count, 1);
	ck_assert(has_name(&reply, "x"));
	reply = get(&a, "/l/x");
	ck_assert_int_eq(reply.error, EVWIRE_OK);
	ck_assert_str_eq(reply.data, "data");
	ck_assert_uint_eq(reply.zxid, fake_find(fake, "/l/x")->czxid);
	ck_assert_int_eq(remove_node(&a, "/l/x").error, EVWIRE_OK);
	ck_assert_int_eq(remove_node(&a, "/l/x").error, EVWIRE_NO_NODE);
	ck_assert_int_eq(remove_node(&a, "/l").error, EVWIRE_OK);
	ck_assert_int_eq(list(&a, "/l").error, EVWIRE_NO_NODE);
	ck_assert_int_eq(get(&a, "/l").error, EVWIRE_NO_NODE);
	ck_assert_int_eq(exists(&a, "/l", false).error, EVWIRE_NO_NODE);
	end_client(&a);
}
END_TEST

START_TEST(numbers_count_all_children)
{
	struct client a;
	struct reply first, second;

	start_client(&a);
	ck_assert_int_eq(line_up(&a, "/l", "/l/w-a-").error, EVWIRE_NO_NODE);
	create(&a, "/l", EVWIRE_CONTAINER);
	create(&a, "/l/r", EVWIRE_CONTAINER);
	first = line_up(&a, "/l", "/l/w-a-");
	ck_assert_int_eq(first.error, EVWIRE_OK);
	ck_assert_str_eq(first.created, "/l/w-a-0000000001");
	ck_assert_uint_eq(
	    first.zxid, fake_find(fake, "/l/w-a-0000000001")->czxid);
	ck_assert_uint_eq(first.zxid, fake_find(fake, "/l")->mzxid);
	remove_node(&a, first.created);
	second = line_up(&a, "/l", "/l/w-b-");
	ck_assert_str_eq(second.created, "/l/w-b-0000000002");
	ck_assert_uint_lt(first.zxid, second.zxid);
	end_client(&a);
}
END_TEST

/* As the servers of release 3.8 do it, and as they say that they do. */
START_TEST(numbers_run_over)
{
	struct client a;

	start_client(&a);
	create(&a, "/l", EVWIRE_CONTAINER);
	fake_set_counter(fake, "/l", INT32_MAX - 1);
	ck_assert_str_eq(line_up(&a, "/l", "/l/a-").created, "/l/a-2147483646");
	ck_assert_str_eq(line_up(&a, "/l", "/l/b-").created, "/l/b-2147483647");
	ck_assert_str_eq(line_up(&a, "/l", "/l/c-").created, "/l/c-2147483647");
	ck_assert_int_eq(line_up(&a, "/l", "/l/c-").error, EVWIRE_EXISTS);
	fake->tree.wraps = true;
	ck_assert_str_eq(line_up(&a, "/l", "/l/d-").created, "/l/d-2147483647");
	ck_assert_str_eq(
	    line_up(&a, "/l", "/l/d-").created, "/l/d--2147483648");
	fake_set_counter(fake, "/l", -5);
	ck_assert_str_eq(line_up(&a, "/l", "/l/d-").created, "/l/d--000000005");
	end_client(&a);
}
END_TEST

START_TEST(who_leaves_and_lines_up_does_both_or_nothing)
{
	struct client a;
	struct reply reply;

	start_client(&a);
	create(&a, "/l", EVWIRE_CONTAINER);
	ck_assert_int_eq(
	    step_up(&a, "/l/none", "/l", "/l/w-").error, EVWIRE_NO_NODE);
	ck_assert_int_eq(fake_find(fake, "/l")->version, 0);
	create(&a, "/l/r", EVWIRE_EPHEMERAL);
	ck_assert_int_eq(
	    step_up(&a, "/l/r", "/none", "/none/w-").error, EVWIRE_NO_NODE);
	ck_assert_ptr_nonnull(fake_find(fake, "/l/r"));
	reply = step_up(&a, "/l/r", "/l", "/l/w-");
	ck_assert_int_eq(reply.error, EVWIRE_OK);
	ck_assert_str_eq(reply.created, "/l/w-0000000001");
	ck_assert_uint_eq(reply.zxid, fake_find(fake, "/l")->mzxid);
	ck_assert_ptr_null(fake_find(fake, "/l/r"));
	end_client(&a);
}
END_TEST

START_TEST(a_place_with_a_number_of_its_own)
{
	struct client a;
	struct reply reply;

	start_client(&a);
	create(&a, "/l", EVWIRE_CONTAINER);
	reply = line_up(&a, "/l", "/l/w-");
	ck_assert_int_eq(
	    step_down(&a, "/l/none", "/l/r-7").error, EVWIRE_NO_NODE);
	ck_assert_int_eq(
	    step_down(&a, reply.created, "/none/r-7").error, EVWIRE_NO_NODE);
	create(&a, "/l/x", EVWIRE_EPHEMERAL);
	ck_assert_int_eq(
	    step_down(&a, reply.created, "/l/x").error, EVWIRE_EXISTS);
	ck_assert_ptr_nonnull(fake_find(fake, reply.created));
	ck_assert_str_eq(
	    step_down(&a, reply.created, "/l/r-7").created, "/l/r-7");
	ck_assert_ptr_null(fake_find(fake, reply.created));
	ck_assert_ptr_nonnull(fake_find(fake, "/l/r-7"));
	end_client(&a);
}
END_TEST

START_TEST(a_watch_tells_once_before_what_shows_it)
{
	struct client a, b;
	struct reply reply;

	start_client(&a);
	start_client(&b);
	create(&a, "/l", EVWIRE_CONTAINER);
	exists(&b, "/l/x", true);
	exists(&b, "/l/x", true);
	create(&a, "/l/x", EVWIRE_EPHEMERAL);
	create(&a, "/l/y", EVWIRE_EPHEMERAL);
	ck_assert_int_eq(b.changed, 1);
	ck_assert_str_eq(b.path, "/l/x");
	/* One that lags tells first, and answers then. */
	ck_assert_int_eq(exists(&b, "/l/x", true).error, EVWIRE_OK);
	a.wire->type->remove(a.wire, "/l/x", to(&reply));
	fake_answer(fake, a.number);
	ck_assert_int_eq(b.changed, 1);
	ck_assert_int_eq(b.wire->type->sync(b.wire, to(&reply)), 0);
	fake_answer(fake, b.number);
	ck_assert_int_eq(b.changed, 2);
	ck_assert_int_eq(b.came, reply.came - 1);
	end_client(&a);
	end_client(&b);
}
END_TEST

START_TEST(a_watch_tells_of_a_node_and_its_data)
{
	struct client a, b;
	struct reply reply;

	start_client(&a);
	start_client(&b);
	ck_assert_int_eq(exists(&b, "/l", true).error, EVWIRE_NO_NODE);
	create(&a, "/l", EVWIRE_CONTAINER);
	ck_assert_int_eq(b.changed, 1);
	ck_assert_int_eq(exists(&b, "/l", true).error, EVWIRE_OK);
	create(&a, "/l/x", EVWIRE_EPHEMERAL);
	ck_assert_int_eq(b.changed, 1);
	reply = line_up(&a, "/l", "/l/w-");
	ck_assert_int_eq(b.changed, 2);
	ck_assert_int_eq(exists(&b, "/l", true).error, EVWIRE_OK);
	remove_node(&a, "/l/x");
	remove_node(&a, reply.created);
	ck_assert_int_eq(b.changed, 2);
	remove_node(&a, "/l");
	ck_assert_int_eq(b.changed, 3);
	ck_assert_str_eq(b.path, "/l");
	end_client(&a);
	end_client(&b);
}
END_TEST

/* Watches live on, and tell of what happened meanwhile. */
START_TEST(a_watch_survives_a_lost_connection)
{
	struct client a, b;

	start_client(&a);
	start_client(&b);
	create(&a, "/l", EVWIRE_CONTAINER);
	exists(&b, "/l/x", true);
	fake_do(fake, (struct fake_step){FAKE_LOSE, b.number});
	ck_assert_int_eq(b.suspended, 1);
	fake_create(fake, "/l/x", "");
	fake_turn(fake);
	ck_assert_int_eq(b.changed, 0);
	fake_run(fake);
	ck_assert_int_eq(b.connected, 2);
	ck_assert_int_eq(b.changed, 1);
	end_client(&a);
	end_client(&b);
}
END_TEST

START_TEST(a_session_that_expires_takes_its_nodes_along)
{
	struct client a, b;
	struct reply reply;
	uint64_t session;

	start_client(&a);
	start_client(&b);
	create(&a, "/l", EVWIRE_PERSISTENT);
	create(&a, "/l/x", EVWIRE_EPHEMERAL);
	create(&a, "/l/y", EVWIRE_PERSISTENT);
	exists(&b, "/l/x", true);
	ck_assert(!fake_may_expire(fake, a.number));
	clock_advance(15000);
	ck_assert(fake_may_expire(fake, a.number));
	session = a.session;
	fake_expire(fake, a.number);
	ck_assert_ptr_null(fake_find(fake, "/l/x"));
	ck_assert_ptr_nonnull(fake_find(fake, "/l/y"));
	/* Nobody was told yet: not b of the node, nor a of the session. */
	ck_assert_int_eq(b.changed, 0);
	ck_assert_int_eq(a.wire->type->sync(a.wire, to(&reply)), 0);
	fake_run(fake);
	ck_assert_int_eq(b.changed, 1);
	ck_assert_int_eq(reply.error, EVWIRE_LOST);
	ck_assert_int_eq(a.suspended, 1);
	ck_assert_int_eq(a.expired, 1);
	ck_assert_int_eq(a.connected, 1);
	REFUSED(a.wire->type->sync(a.wire, to(&reply)), ENOTCONN);
	end_client(&a);
	start_client(&a);
	ck_assert_uint_ne(a.session, session);
	end_client(&a);
	end_client(&b);
}
END_TEST

START_TEST(a_lost_connection_leaves_it_open_what_was_done)
{
	struct client a;
	struct reply first, second, third;

	start_client(&a);
	a.wire->type->create(a.wire, "/x", EVWIRE_EPHEMERAL, "", to(&first));
	a.wire->type->create(a.wire, "/y", EVWIRE_EPHEMERAL, "", to(&second));
	a.wire->type->list(a.wire, "/", to(&third));
	fake_cut(fake, a.number, true);
	ck_assert_int_eq(first.error, EVWIRE_LOST);
	ck_assert_int_eq(second.error, EVWIRE_LOST);
	ck_assert_int_eq(third.error, EVWIRE_LOST);
	ck_assert_int_eq(second.came, first.came + 1);
	ck_assert_int_eq(third.came, first.came + 2);
	fake_run(fake);
	ck_assert_ptr_nonnull(fake_find(fake, "/x"));
	ck_assert_ptr_null(fake_find(fake, "/y"));
	end_client(&a);
}
END_TEST

START_TEST(what_was_sent_may_be_done_late_but_for_a_sync)
{
	struct client a;
	struct reply reply, sync;
	int i;

	for (i = 0; i < 2; i++) {
		start_client(&a);
		a.wire->type->create(
		    a.wire, "/x", EVWIRE_EPHEMERAL, "", to(&reply));
		fake_do(fake, (struct fake_step){FAKE_LOSE, a.number});
		ck_assert_int_eq(reply.error, EVWIRE_LOST);
		fake_do(fake, (struct fake_step){FAKE_CONNECT, a.number});
		ck_assert_ptr_null(fake_find(fake, "/x"));
		if (i == 0) {
			a.wire->type->sync(a.wire, to(&sync));
			fake_answer(fake, a.number);
			ck_assert_int_eq(sync.error, EVWIRE_OK);
		}
		fake_run(fake);
		ck_assert_int_eq(fake_find(fake, "/x") != NULL, i);
		end_client(&a);
		fake_run(fake);
	}
	ck_assert_ptr_null(fake_find(fake, "/x"));
}
END_TEST

START_TEST(a_server_lags_but_not_behind_what_was_sent_to_it)
{
	struct client a, b;
	struct reply reply;

	start_client(&a);
	start_client(&b);
	create(&a, "/x", EVWIRE_PERSISTENT);
	a.wire->type->create(a.wire, "/y", EVWIRE_EPHEMERAL, "", to(&reply));
	fake_answer(fake, a.number);
	a.wire->type->create(a.wire, "/z", EVWIRE_EPHEMERAL, "", to(&reply));
	fake_answer(fake, a.number);
	a.wire->type->list(a.wire, "/", to(&reply));
	fake_answer(fake, a.number);
	ck_assert_uint_eq(reply.count, 3);
	b.wire->type->list(b.wire, "/", to(&reply));
	fake_do(fake, (struct fake_step){FAKE_CATCH_UP, b.number});
	fake_answer(fake, b.number);
	ck_assert_uint_eq(reply.count, 2);
	b.wire->type->sync(b.wire, to(&reply));
	fake_answer(fake, b.number);
	b.wire->type->list(b.wire, "/", to(&reply));
	fake_answer(fake, b.number);
	ck_assert_uint_eq(reply.count, 3);
	end_client(&a);
	end_client(&b);
}
END_TEST

START_TEST(empty_containers_go)
{
	struct client a;

	start_client(&a);
	create(&a, "/l", EVWIRE_CONTAINER);
	fake_reap(fake);
	/* It never had a child. */
	ck_assert_ptr_nonnull(fake_find(fake, "/l"));
	create(&a, "/l/r", EVWIRE_CONTAINER);
	create(&a, "/l/r/x", EVWIRE_EPHEMERAL);
	fake_reap(fake);
	ck_assert_ptr_nonnull(fake_find(fake, "/l/r/x"));
	remove_node(&a, "/l/r/x");
	fake_reap(fake);
	ck_assert_ptr_null(fake_find(fake, "/l/r"));
	ck_assert_ptr_null(fake_find(fake, "/l"));
	end_client(&a);
}
END_TEST

START_TEST(nodes_may_be_for_their_creator_alone)
{
	struct client a, b;

	open_client(&a, true);
	a.wire->type->authenticate(a.wire, "digest", "we:secret");
	start_client(&b);
	create(&a, "/l", EVWIRE_PERSISTENT);
	ck_assert_int_eq(
	    create(&b, "/l/x", EVWIRE_PERSISTENT).error, EVWIRE_NO_AUTH);
	ck_assert_int_eq(list(&b, "/l").error, EVWIRE_NO_AUTH);
	ck_assert_int_eq(get(&b, "/l").error, EVWIRE_NO_AUTH);
	ck_assert_int_eq(exists(&b, "/l", false).error, EVWIRE_OK);
	b.wire->type->authenticate(b.wire, "digest", "we:secret");
	ck_assert_int_eq(
	    create(&b, "/l/x", EVWIRE_PERSISTENT).error, EVWIRE_OK);
	ck_assert_int_eq(list(&a, "/l").error, EVWIRE_OK);
	fake_text(fake->forbidden, sizeof(fake->forbidden), "/l/x");
	ck_assert_int_eq(get(&a, "/l/x").error, EVWIRE_NO_AUTH);
	ck_assert_int_eq(get(&a, "/l").error, EVWIRE_OK);
	end_client(&a);
	end_client(&b);
}
END_TEST

START_TEST(credentials_are_refused)
{
	struct client a;
	struct reply reply;

	fake->refuse = true;
	open_client(&a, false);
	a.wire->type->authenticate(a.wire, "digest", "we:secret");
	fake_run(fake);
	ck_assert_int_eq(a.connected, 0);
	ck_assert_int_eq(a.refused, 1);
	REFUSED(a.wire->type->sync(a.wire, to(&reply)), ENOTCONN);
	end_client(&a);
}
END_TEST

START_TEST(a_wire_that_is_closed_ends_its_session_at_some_time)
{
	struct client a, b;
	struct reply reply;

	start_client(&a);
	start_client(&b);
	create(&a, "/x", EVWIRE_EPHEMERAL);
	a.wire->type->create(a.wire, "/y", EVWIRE_PERSISTENT, "", to(&reply));
	end_client(&a);
	fake_turn(fake);
	ck_assert_int_eq(reply.came, 0);
	ck_assert_ptr_nonnull(fake_find(fake, "/x"));
	fake_run(fake);
	ck_assert_int_eq(reply.came, 0);
	ck_assert_ptr_null(fake_find(fake, "/x"));
	ck_assert_ptr_nonnull(fake_find(fake, "/y"));
	end_client(&b);
}
END_TEST

START_TEST(a_server_is_left_from_the_loop)
{
	struct client a;
	struct reply reply;

	start_client(&a);
	a.wire->type->sync(a.wire, to(&reply));
	a.wire->type->drop(a.wire, "it hangs");
	REFUSED(a.wire->type->sync(a.wire, to(&reply)), ENOTCONN);
	ck_assert_int_eq(reply.came, 0);
	ck_assert_int_eq(a.suspended, 0);
	fake_turn(fake);
	ck_assert_int_eq(reply.error, EVWIRE_LOST);
	ck_assert_int_eq(a.suspended, 1);
	fake_run(fake);
	ck_assert_int_eq(a.connected, 2);
	end_client(&a);
}
END_TEST

START_TEST(what_a_test_asks_for)
{
	struct client a;
	struct reply reply;

	start_client(&a);
	fake->fail_send = 2;
	ck_assert_int_eq(a.wire->type->sync(a.wire, to(&reply)), 0);
	REFUSED(a.wire->type->get(a.wire, "/", false, to(&reply)), ENOMEM);
	fake_run(fake);
	fake_text(fake->spoiled, sizeof(fake->spoiled), "/");
	fake->spoilers[0] = "w-\xff";
	reply = list(&a, "/");
	ck_assert(has_name(&reply, "w-\xff"));
	a.wire->type->create(a.wire, "/x", EVWIRE_PERSISTENT, "", to(&reply));
	fake_answer_with(fake, a.number, EVWIRE_BAD);
	ck_assert_int_eq(reply.error, EVWIRE_BAD);
	ck_assert_ptr_null(fake_find(fake, "/x"));
	ck_assert_uint_eq(fake->sent[FAKE_LIST], 1);
	fake->operators = true;
	fake_create(fake, "/y", "");
	fake_do(fake, (struct fake_step){FAKE_DELETE, 1});
	ck_assert_uint_eq(fake_count(fake, "/"), 1);
	end_client(&a);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("fake");
	TCase *tc = tcase_create("fake");

	tcase_add_checked_fixture(tc, setup, support_teardown);
	tcase_add_test(tc, nodes_come_and_go);
	tcase_add_test(tc, numbers_count_all_children);
	tcase_add_test(tc, numbers_run_over);
	tcase_add_test(tc, who_leaves_and_lines_up_does_both_or_nothing);
	tcase_add_test(tc, a_place_with_a_number_of_its_own);
	tcase_add_test(tc, a_watch_tells_once_before_what_shows_it);
	tcase_add_test(tc, a_watch_tells_of_a_node_and_its_data);
	tcase_add_test(tc, a_watch_survives_a_lost_connection);
	tcase_add_test(tc, a_session_that_expires_takes_its_nodes_along);
	tcase_add_test(tc, a_lost_connection_leaves_it_open_what_was_done);
	tcase_add_test(tc, what_was_sent_may_be_done_late_but_for_a_sync);
	tcase_add_test(tc, a_server_lags_but_not_behind_what_was_sent_to_it);
	tcase_add_test(tc, empty_containers_go);
	tcase_add_test(tc, nodes_may_be_for_their_creator_alone);
	tcase_add_test(tc, credentials_are_refused);
	tcase_add_test(tc, a_wire_that_is_closed_ends_its_session_at_some_time);
	tcase_add_test(tc, a_server_is_left_from_the_loop);
	tcase_add_test(tc, what_a_test_asks_for);
	suite_add_tcase(suite, tc);
	return support_main(suite);
}
