/* SPDX-License-Identifier: MIT */
/* Starting from a journal that a crash cut off, or that was damaged. */
#include "cases.h"

#include <ctype.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "client.h"

#define JOURNAL "kvd.journal"

/* The commands that the journal under test is made of, what a client sees
 * after the first n of them, and how long the journal is then. */
static const char *const commands[] = {
    "SET first 1",
    "SET second two",
    "INCR first",
    "MSET a 1 b 2 c 3",
    "DEL second",
    "SET last 9",
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))
static const char *const states[COMMANDS + 1] = {
    "[(nil), (nil), (nil), (nil), (nil), (nil)]",
    "[1, (nil), (nil), (nil), (nil), (nil)]",
    "[1, two, (nil), (nil), (nil), (nil)]",
    "[2, two, (nil), (nil), (nil), (nil)]",
    "[2, two, 1, 2, 3, (nil)]",
    "[2, (nil), 1, 2, 3, (nil)]",
    "[2, (nil), 1, 2, 3, 9]",
};
static size_t ends[COMMANDS + 1];
static char *journal;
static size_t journal_size;

static struct kvd kvd;

static void
expect_state(size_t done)
{
	redisContext *client = client_open(&kvd);

	client_expect(client, states[done], "MGET first second a b c last");
	redisFree(client);
}

static void
run_commands(void)
{
	redisContext *client = client_open(&kvd);

	ends[0] = file_size(kvd.dir, JOURNAL);
	for (size_t i = 0; i < COMMANDS; i++) {
		redisReply *reply = redisCommand(client, commands[i]);

		ck_assert_ptr_nonnull(reply);
		ck_assert_int_ne(reply->type, REDIS_REPLY_ERROR);
		freeReplyObject(reply);
		ends[i + 1] = file_size(kvd.dir, JOURNAL);
		ck_assert_uint_gt(ends[i + 1], ends[i]);
	}
	redisFree(client);
}

static void
setup(void)
{
	kvd_start(&kvd, NULL, KVD_END);
	run_commands();
	expect_state(COMMANDS);
	kvd_end(&kvd, SIGKILL);
	journal = file_read(kvd.dir, JOURNAL, &journal_size);
}

static void
teardown(void)
{
	free(journal);
}

/* How many commands a journal of that size has whole. */
static size_t
whole_commands(size_t size)
{
	size_t count = 0;

	while (count < COMMANDS && ends[count + 1] <= size)
		count++;
	return count;
}

START_TEST(test_journal_is_replayed)
{
	kvd_start(&kvd, kvd.dir, KVD_END);
	expect_state(COMMANDS);
	kvd_stop(&kvd);
	kvd_start(&kvd, kvd.dir, KVD_END);
	expect_state(COMMANDS);
	kvd_stop(&kvd);
}
END_TEST

/* Where the file's first line ends, before the first record. */
static size_t
head_size(void)
{
	const char *end = memchr(journal, '\n', journal_size);

	ck_assert_ptr_nonnull(end);
	return (size_t)(end - journal) + 1;
}

/* The start says what it cut off, the records before are there, and what is
 * written then is found by the next start. */
START_TEST(test_torn_tail_at_every_length)
{
	for (size_t size = 0; size < journal_size; size++) {
		size_t whole = whole_commands(size);
		bool torn =
		    size > 0 && size != ends[whole] && size != head_size();
		redisContext *client;

		file_write(kvd.dir, JOURNAL, journal, size);
		kvd_start(&kvd, kvd.dir, KVD_END);
		ck_assert_msg(!torn || kvd_log_has(&kvd, "kvd: "),
		    "no message about the tail of a journal of %zu bytes",
		    size);
		ck_assert_msg(!torn || kvd_log_has(&kvd, JOURNAL),
		    "the message does not name the file");
		expect_state(whole);
		client = client_open(&kvd);
		client_expect(client, "+OK", "SET new %d", (int)size);
		redisFree(client);
		kvd_end(&kvd, SIGKILL);

		kvd_start(&kvd, kvd.dir, KVD_END);
		ck_assert_msg(!kvd_log_has(&kvd, JOURNAL),
		    "the tail is still there at the second start");
		expect_state(whole);
		client = client_open(&kvd);
		ck_assert_int_eq(
		    client_integer(client, "INCR new"), (long long)size + 1);
		redisFree(client);
		kvd_end(&kvd, SIGKILL);
	}
}
END_TEST

/* Whether a number of the message lies between the two. */
static bool
has_number_in(const char *text, size_t least, size_t most)
{
	for (const char *at = text; *at != '\0';) {
		char *end;
		unsigned long number;

		if (!isdigit((unsigned char)*at)) {
			at++;
			continue;
		}
		number = strtoul(at, &end, 10);
		if (number >= least && number <= most)
			return true;
		at = end;
	}
	return false;
}

static void
expect_damage(size_t byte, size_t least, size_t most)
{
	char text[KVD_TEXT_MAX];
	char *name;

	file_write(kvd.dir, JOURNAL, journal, journal_size);
	kvd_launch(&kvd, kvd.dir, NULL);
	ck_assert_msg(!kvd_wait_ready(&kvd),
	    "started with byte %zu of the journal flipped", byte);
	ck_assert_int_ne(kvd_wait(&kvd), 0);
	kvd_read_log(&kvd, text);
	name = strstr(text, JOURNAL);
	ck_assert_msg(
	    name != NULL, "the message does not name the file: %s", text);
	ck_assert_msg(has_number_in(name, least, most),
	    "byte %zu: no offset from %zu to %zu in: %s", byte, least, most,
	    text);
}

/* Any bit pattern in any byte of the third record, header and payload. */
START_TEST(test_damaged_record_stops_the_start)
{
	static const char masks[] = {0x01, (char)0x80, (char)0xff};

	for (size_t byte = ends[2]; byte < ends[3]; byte++)
		for (size_t i = 0; i < sizeof(masks); i++) {
			journal[byte] = (char)(journal[byte] ^ masks[i]);
			expect_damage(byte, ends[2], ends[3]);
			journal[byte] = (char)(journal[byte] ^ masks[i]);
		}
	file_write(kvd.dir, JOURNAL, journal, journal_size);
	kvd_start(&kvd, kvd.dir, KVD_END);
	expect_state(COMMANDS);
	kvd_stop(&kvd);
}
END_TEST

/* So does one inside an MSET that was acknowledged. */
START_TEST(test_damaged_mset_stops_the_start)
{
	for (size_t byte = ends[3]; byte < ends[4]; byte++) {
		journal[byte] = (char)(journal[byte] ^ 0x01);
		expect_damage(byte, ends[3], ends[4]);
		journal[byte] = (char)(journal[byte] ^ 0x01);
	}
}
END_TEST

static void
put_u32(char *to, unsigned long number)
{
	for (int i = 0; i < 4; i++)
		to[i] = (char)(number >> 8 * i & 0xff);
}

/* Takes the flag out of a record, as the first version wrote it. */
static void
clear_synced(size_t record)
{
	char *head = journal + record;
	const unsigned char *bytes = (const unsigned char *)head;
	const uInt length = bytes[0] | (uInt)bytes[1] << 8;

	head[13] = (char)(head[13] & 1);
	put_u32(head + 4, crc32(0, bytes + 12, length));
	put_u32(head + 8, crc32(0, bytes, 8));
}

/* Starts from these bytes, with zeros behind up to a size. */
static void
expect_start(const char *data, size_t length, size_t size, size_t done)
{
	char *torn = calloc(1, size + 1);

	ck_assert_ptr_nonnull(torn);
	memcpy(torn, data, length);
	file_write(kvd.dir, JOURNAL, torn, size);
	free(torn);
	kvd_launch(&kvd, kvd.dir, NULL);
	ck_assert_msg(kvd_wait_ready(&kvd),
	    "no start with zeros from %zu to %zu", length, size);
	expect_state(done);
	ck_assert_msg(kvd_log_has(&kvd, "cutting off"),
	    "no message about zeros from %zu to %zu", length, size);
	kvd_end(&kvd, SIGKILL);
}

/* Any part of a record or of the first line may be there, of its head too. */
START_TEST(test_zeros_behind_a_torn_record)
{
	for (size_t length = ends[4]; length <= journal_size; length++) {
		expect_start(journal, length, journal_size + 4096,
		    whole_commands(length));
		if (length > ends[5] && length < ends[5] + 12)
			expect_start(journal, length, journal_size, 5);
	}
	for (size_t length = 0; length < head_size(); length++)
		expect_start(journal, length, 100, 0);
}
END_TEST

/* A command of several blocks: "SET big vvvv..." and an MSET, at the end. */
static void
add_blocks(void)
{
	static char value[3000];
	redisContext *client;

	memset(value, 'v', sizeof(value) - 1);
	file_write(kvd.dir, JOURNAL, journal, journal_size);
	kvd_start(&kvd, kvd.dir, KVD_END);
	client = client_open(&kvd);
	client_expect(client, "+OK", "MSET big %s a %s last 10", value, value);
	redisFree(client);
	kvd_end(&kvd, SIGKILL);
	free(journal);
	journal = file_read(kvd.dir, JOURNAL, &journal_size);
}

/* The blocks of what is not synced are written in any order. */
START_TEST(test_block_that_a_power_cut_took_from_the_last_write)
{
	const size_t before = journal_size;
	size_t block = before - before % 512 + 512;
	char kept[512];

	add_blocks();
	for (; block + 512 <= journal_size; block += 512) {
		memcpy(kept, journal + block, 512);
		memset(journal + block, 0, 512);
		expect_start(journal, journal_size, journal_size, COMMANDS);
		memcpy(journal + block, kept, 512);
	}
}
END_TEST

/* What follows was written when all before it was on the disk. */
START_TEST(test_block_that_is_gone_from_a_synced_write_stops_the_start)
{
	const size_t before = journal_size;
	const size_t block = before - before % 512 + 512;
	redisContext *client;

	add_blocks();
	kvd_start(&kvd, kvd.dir, KVD_END);
	client = client_open(&kvd);
	client_expect(client, "+OK", "SET next 1");
	redisFree(client);
	kvd_end(&kvd, SIGKILL);
	free(journal);
	journal = file_read(kvd.dir, JOURNAL, &journal_size);
	memset(journal + block, 0, 512);
	expect_damage(block, before, block);
	ck_assert(kvd_log_has(&kvd, "damaged record"));
}
END_TEST

/* It is all there, and may have been answered. */
START_TEST(test_damaged_last_record_is_told_apart_from_a_torn_one)
{
	for (size_t byte = ends[5]; byte < ends[6]; byte++) {
		journal[byte] = (char)(journal[byte] ^ 0x41);
		expect_damage(byte, ends[5], ends[5]);
		ck_assert(kvd_log_has(&kvd, "damaged last record"));
		ck_assert(!kvd_log_has(&kvd, "cutting off"));
		journal[byte] = (char)(journal[byte] ^ 0x41);
	}
}
END_TEST

/* One of before the flag that tells what was synced. */
START_TEST(test_journal_of_the_first_version)
{
	for (size_t i = 0; i < COMMANDS; i++)
		clear_synced(ends[i] > 0 ? ends[i] : head_size());
	ck_assert_int_eq(journal[head_size() - 2], '2');
	journal[head_size() - 2] = '1';
	file_write(kvd.dir, JOURNAL, journal, journal_size);
	kvd_start(&kvd, kvd.dir, KVD_END);
	expect_state(COMMANDS);
	kvd_end(&kvd, SIGKILL);
	/* Without it any record that follows may be of a later write. */
	memset(journal + ends[3], 0, ends[4] - ends[3]);
	expect_damage(ends[3], ends[3], ends[3]);
	expect_start(journal, ends[3] + 5, journal_size, 3);
}
END_TEST

START_TEST(test_file_of_something_else_is_refused)
{
	static const char text[] = "this is not a journal, keep off it\n";
	char *kept;
	size_t size;

	file_write(kvd.dir, JOURNAL, text, strlen(text));
	kvd_launch(&kvd, kvd.dir, NULL);
	ck_assert(!kvd_wait_ready(&kvd));
	ck_assert_int_ne(kvd_wait(&kvd), 0);
	ck_assert(kvd_log_has(&kvd, JOURNAL));
	kept = file_read(kvd.dir, JOURNAL, &size);
	ck_assert_uint_eq(size, strlen(text));
	ck_assert_mem_eq(kept, text, size);
	free(kept);
}
END_TEST

TCase *
kvd_journal_case(void)
{
	TCase *tcase = tcase_create("journal");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, test_journal_is_replayed);
	tcase_add_test(tcase, test_torn_tail_at_every_length);
	tcase_add_test(tcase, test_damaged_record_stops_the_start);
	tcase_add_test(tcase, test_damaged_mset_stops_the_start);
	tcase_add_test(tcase, test_zeros_behind_a_torn_record);
	tcase_add_test(
	    tcase, test_block_that_a_power_cut_took_from_the_last_write);
	tcase_add_test(
	    tcase, test_block_that_is_gone_from_a_synced_write_stops_the_start);
	tcase_add_test(
	    tcase, test_damaged_last_record_is_told_apart_from_a_torn_one);
	tcase_add_test(tcase, test_journal_of_the_first_version);
	tcase_add_test(tcase, test_file_of_something_else_is_refused);
	return tcase;
}
