/* SPDX-License-Identifier: MIT */
#include "load.h"

#include <stdlib.h>
#include <string.h>

#include <check.h>

#define DEPTH 16
#define DEPTH_WITH_PAUSES 2

/* Step number "step" of a peer is SET, INCR or MSET, by turns. */
static bool
send_step(struct peer *peer, long peer_number, long step)
{
	switch (step % 3) {
	case 0:
		return peer_send(
		    peer, "SET s%ld:%ld %ld", peer_number, step, step);
	case 1:
		return peer_send(peer, "INCR c%ld", peer_number);
	default:
		return peer_send(peer, "MSET a%ld %ld b%ld %ld", peer_number,
		    step, peer_number, step);
	}
}

/* How many of the first "steps" were INCRs. */
static long
increments(long steps)
{
	return (steps + 1) / 3;
}

/* What the last MSET of the first "steps" wrote, -1 without any. */
static long
last_pair(long steps)
{
	return steps / 3 * 3 - 1;
}

static void
take_step_reply(struct peer *peer, const redisReply *reply, void *arg)
{
	struct load *load = arg;

	load->acked++;
	if (peer->acked % 3 == 1) {
		ck_assert_int_eq(reply->type, REDIS_REPLY_INTEGER);
		ck_assert_int_eq(reply->integer, increments(peer->acked + 1));
		return;
	}
	ck_assert_int_eq(reply->type, REDIS_REPLY_STATUS);
	ck_assert_str_eq(reply->str, "OK");
}

static void
take_snapshot_reply(struct peer *peer, const redisReply *reply, void *arg)
{
	(void)arg;
	ck_assert_int_eq(reply->type, REDIS_REPLY_STATUS);
	ck_assert_str_eq(reply->str, "OK");
	peer_send(peer, "SNAPSHOT");
}

static void
take_pair(struct peer *peer, const redisReply *reply, void *arg)
{
	const redisReply *a, *b;
	struct load *load = arg;

	(void)peer;
	ck_assert_int_eq(reply->type, REDIS_REPLY_ARRAY);
	ck_assert_uint_eq(reply->elements, 2);
	a = reply->element[0];
	b = reply->element[1];
	ck_assert_msg(a->type == b->type && (a->type != REDIS_REPLY_STRING ||
						strcmp(a->str, b->str) == 0),
	    "half an MSET was seen");
	load->pairs += a->type == REDIS_REPLY_STRING;
}

void
load_open(struct load *load, const struct kvd *kvd)
{
	for (size_t i = 0; i < LOAD_PEERS; i++) {
		peer_open(&load->peers[i], kvd);
		load->peers[i].sent = load->checked[i];
		load->peers[i].acked = load->checked[i];
	}
	for (size_t i = 0; load->with_readers && i < LOAD_READERS; i++)
		peer_open(&load->readers[i], kvd);
	if (!load->with_snapshots)
		return;
	peer_open(&load->snapshots, kvd);
	peer_send(&load->snapshots, "SNAPSHOT");
}

void
load_close(struct load *load)
{
	for (size_t i = 0; i < LOAD_PEERS; i++)
		peer_close(&load->peers[i]);
	for (size_t i = 0; load->with_readers && i < LOAD_READERS; i++)
		peer_close(&load->readers[i]);
	if (load->with_snapshots)
		peer_close(&load->snapshots);
}

static bool
all_answered(const struct load *load)
{
	for (size_t i = 0; i < LOAD_PEERS; i++)
		if (load->peers[i].acked < load->peers[i].sent)
			return false;
	return true;
}

static void
fill(struct load *load)
{
	bool pauses = load->with_snapshots || load->with_readers;
	long depth = pauses ? DEPTH_WITH_PAUSES : DEPTH;

	if (pauses && !all_answered(load))
		return;
	for (size_t i = 0; i < LOAD_PEERS; i++) {
		struct peer *peer = &load->peers[i];

		while (peer->sent - peer->acked < depth)
			if (!send_step(peer, (long)i, peer->sent))
				break;
	}
}

static void
read_pairs(struct load *load)
{
	for (size_t i = 0; i < LOAD_READERS; i++) {
		struct peer *reader = &load->readers[i];

		if (reader->sent == reader->acked)
			peer_send(reader, "MGET a%ld b%ld", (long)i, (long)i);
	}
	peers_pump(load->readers, LOAD_READERS, 0, take_pair, load);
}

/* One turn of the loop.  False if no answer came in the time. */
static bool
turn(struct load *load, int timeout_ms)
{
	bool answered;

	fill(load);
	if (load->with_readers)
		read_pairs(load);
	answered = peers_pump(
	    load->peers, LOAD_PEERS, timeout_ms, take_step_reply, load);
	if (load->with_snapshots)
		peers_pump(&load->snapshots, 1, 0, take_snapshot_reply, NULL);
	return answered;
}

void
load_run(struct load *load, long acks, double seconds)
{
	long goal = load->acked + acks;
	double end;

	while (load->acked < goal)
		ck_assert_msg(
		    turn(load, patience_ms()), "the daemon does not answer");
	end = now() + seconds;
	while (now() < end)
		turn(load, 0);
}

static bool
any_open(const struct load *load)
{
	for (size_t i = 0; i < LOAD_PEERS; i++)
		if (load->peers[i].fd >= 0)
			return true;
	return false;
}

void
load_drain(struct load *load)
{
	while (any_open(load))
		ck_assert_msg(peers_pump(load->peers, LOAD_PEERS, patience_ms(),
				  take_step_reply, load),
		    "a connection stays open");
}

/* The number under the key "a0" and the like, "missing" without the key. */
static long
number_of(
    redisContext *client, const char *kind, size_t peer_number, long missing)
{
	redisReply *reply =
	    redisCommand(client, "GET %s%ld", kind, (long)peer_number);
	long number = missing;

	ck_assert_ptr_nonnull(reply);
	if (reply->type == REDIS_REPLY_STRING)
		number = strtol(reply->str, NULL, 10);
	else
		ck_assert_int_eq(reply->type, REDIS_REPLY_NIL);
	freeReplyObject(reply);
	return number;
}

/* Whether each SET of the steps from "step" on below "end" is there. */
static void
check_sets(redisContext *client, size_t peer_number, long step, long end)
{
	long asked = 0;

	for (long i = step; i < end; i++)
		if (i % 3 == 0) {
			redisAppendCommand(
			    client, "GET s%ld:%ld", (long)peer_number, i);
			asked++;
		}
	for (long i = step; asked > 0; i++) {
		void *reply = NULL;

		if (i % 3 != 0)
			continue;
		ck_assert_int_eq(redisGetReply(client, &reply), REDIS_OK);
		ck_assert_msg(((redisReply *)reply)->type == REDIS_REPLY_STRING,
		    "peer %zu: SET of step %ld is lost", peer_number, i);
		ck_assert_int_eq(
		    strtol(((redisReply *)reply)->str, NULL, 10), i);
		freeReplyObject(reply);
		asked--;
	}
}

/* The length of the sequence that has this many increments and this pair. */
static long
find_end(const struct peer *peer, long count, long pair, bool next_set)
{
	for (long end = peer->acked; end <= peer->sent; end++) {
		if (increments(end) != count || last_pair(end) != pair)
			continue;
		/* Only the key of the SET tells step 3n from 3n + 1. */
		if (end % 3 == 0 && next_set)
			continue;
		return end;
	}
	return -1;
}

static long
find_prefix(redisContext *client, const struct peer *peer, size_t number)
{
	long count = number_of(client, "c", number, 0);
	long pair = number_of(client, "a", number, -1);
	long other = number_of(client, "b", number, -1);
	long end;

	ck_assert_msg(pair == other, "half an MSET: a%zu is %ld, b%zu is %ld",
	    number, pair, number, other);
	end = find_end(peer, count, pair,
	    client_integer(client, "EXISTS s%ld:%ld", (long)number, pair + 1) ==
		1);
	ck_assert_msg(end >= 0,
	    "peer %zu: %ld acknowledged, %ld sent, but found INCR %ld and "
	    "MSET %ld",
	    number, peer->acked, peer->sent, count, pair);
	return end;
}

void
load_check(struct load *load, const struct kvd *kvd)
{
	redisContext *client = client_open(kvd);

	for (size_t i = 0; i < LOAD_PEERS; i++) {
		long end = find_prefix(client, &load->peers[i], i);

		check_sets(client, i, load->checked[i], end);
		load->checked[i] = end;
	}
	redisFree(client);
}
