/* SPDX-License-Identifier: MIT */
/* What a report says, and how: each kind of lock, each format, names of all sorts. */
#include "reports.h"
#include "waiters.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct evowner *alice, *bob;

/* Those that wait, to be freed in the end. */
static struct evdeferred *waits[512];
static size_t wait_count;

static void
hold_on(struct evdeferred *d)
{
	ck_assert_ptr_nonnull(d);
	ck_assert_uint_lt(wait_count, 512);
	waits[wait_count++] = d;
}

static void
let_go(void)
{
	while (wait_count > 0)
		evdeferred_free(waits[--wait_count]);
}

static struct evrwlock *
named_lock(const char *name)
{
	struct evrwlock *lock = evrwlock_new(base, 0);

	ck_assert_int_eq(evrwlock_set_name(lock, name), 0);
	return lock;
}

static void
meet(void)
{
	alice = new_owner("alice");
	bob = new_owner("bob");
}

static void
part(void)
{
	let_go();
	evowner_free(alice);
	evowner_free(bob);
}

START_TEST(nothing_to_tell_of)
{
	const char *text = take_report(EVDEFER_REPORT_TEXT);

	ck_assert_ptr_eq(
	    strstr(text, "what is held and who waits for it ("), text);
	ck_assert_ptr_nonnull(strstr(text, "):\n0 in all\n"));
	ck_assert_str_eq(take_text(), "");
	ck_assert_str_eq(take_report(EVDEFER_REPORT_JSON),
	    "{\"debug\":false,\"names\":64,\"locks\":[\n],\"count\":0}\n");
	text = take_report(EVDEFER_REPORT_GRAPH);
	ck_assert_ptr_eq(strstr(text, "digraph locks {\n"), text);
	ck_assert_ptr_null(strstr(text, "label"));
}
END_TEST

START_TEST(free_lock_is_in_all_but_the_graph)
{
	struct evrwlock *lock = evrwlock_new(base, 0);

	ck_assert_str_eq(take_text(), "lock (number 1, 0x): free\n");
	ck_assert_ptr_nonnull(strstr(take_report(EVDEFER_REPORT_JSON),
	    "{\"number\":1,\"kind\":\"lock\",\"name\":null,"));
	ck_assert_ptr_null(strstr(take_report(EVDEFER_REPORT_GRAPH), "lock1"));
	evrwlock_free(lock);
}
END_TEST

/* Alice reads twice, two others too; bob waits to write, and others in between. */
static struct evrwlock *
crowd(void)
{
	struct evrwlock *lock = named_lock("the shelf");

	meet();
	evrwlock_try(lock, alice, EVRWLOCK_READ);
	evrwlock_try(lock, alice, EVRWLOCK_READ);
	evrwlock_reader_try(lock);
	evrwlock_reader_try(lock);
	hold_on(evrwlock_acquire(lock, bob, EVRWLOCK_WRITE));
	hold_on(evrwlock_reader_acquire(lock));
	hold_on(evrwlock_reader_acquire(lock));
	hold_on(evrwlock_writer_acquire(lock));
	return lock;
}

static void
disperse(struct evrwlock *lock)
{
	evrwlock_reader_release(lock);
	evrwlock_reader_release(lock);
	part();
	evrwlock_free(lock);
}

START_TEST(text_says_who_is_inside_and_who_waits)
{
	struct evrwlock *lock = crowd();

	ck_assert_str_eq(take_text(),
	    "lock \"the shelf\" (number 1, 0x): inside 4, waiting 4\n"
	    "    inside   \"alice\": read, 2 times\n"
	    "    inside   2 without an owner: read\n"
	    "    waiting  \"bob\": write\n"
	    "    waiting  2 without an owner: read\n"
	    "    waiting  1 without an owner: write\n");
	disperse(lock);
}
END_TEST

START_TEST(json_says_who_is_inside_and_who_waits)
{
	struct evrwlock *lock = crowd();
	char expected[1024];

	snprintf(expected, sizeof(expected),
	    "{\"debug\":false,\"names\":64,\"locks\":[\n"
	    "{\"number\":1,\"kind\":\"lock\",\"name\":\"the shelf\","
	    "\"address\":\"%p\",\"closed\":false,\"inside_count\":4,"
	    "\"waiting_count\":4,\n"
	    " \"granted\":[],\n"
	    " \"inside\":[\n"
	    "  {\"owner\":\"alice\",\"owner_number\":1,\"mode\":\"read\","
	    "\"count\":2},\n"
	    "  {\"owner\":null,\"mode\":\"read\",\"count\":2}],\n"
	    " \"waiting\":[\n"
	    "  {\"owner\":\"bob\",\"owner_number\":2,\"mode\":\"write\","
	    "\"count\":1},\n"
	    "  {\"owner\":null,\"mode\":\"read\",\"count\":2},\n"
	    "  {\"owner\":null,\"mode\":\"write\",\"count\":1}]}\n"
	    "],\"count\":1}\n",
	    (void *)lock);
	ck_assert_str_eq(take_report(EVDEFER_REPORT_JSON), expected);
	disperse(lock);
}
END_TEST

static bool
is_in_report(const char *line)
{
	const char *at = strstr(reader.text, line);

	return at != NULL && at[strlen(line)] == '\n';
}

START_TEST(graph_has_an_arrow_for_each_hold_and_wait)
{
	struct evrwlock *lock = crowd();

	take_report(EVDEFER_REPORT_GRAPH);
	ck_assert(
	    is_in_report("label=\"lock the shelf\\ninside 4, waiting 4\"]"));
	ck_assert(is_in_report("owner1 [label=\"alice\"]"));
	ck_assert(is_in_report("lock1 -> owner1 [label=\"read\"]"));
	ck_assert(is_in_report(
	    "lock1_1 [shape=plaintext, label=\"2 without an owner\"]"));
	ck_assert(is_in_report("lock1 -> lock1_1 [label=\"read\"]"));
	ck_assert(is_in_report("owner2 [label=\"bob\"]"));
	ck_assert(is_in_report("owner2 -> lock1 [label=\"write\", "
			       "style=dashed, color=\"#c03030\"]"));
	ck_assert(is_in_report("lock1_4 -> lock1 [label=\"write\", "
			       "style=dashed, color=\"#c03030\"]"));
	ck_assert_str_eq(reader.text + reader.length - 3, "\n}\n");
	disperse(lock);
}
END_TEST

/* Each waits for what the other holds; who knows only one of the locks can't see it. */
START_TEST(cycle_is_a_ring_of_arrows)
{
	struct evrwlock *one = named_lock(NULL), *two = named_lock(NULL);

	meet();
	evrwlock_try(one, alice, EVRWLOCK_WRITE);
	evrwlock_try(two, bob, EVRWLOCK_WRITE);
	hold_on(evrwlock_acquire(two, alice, EVRWLOCK_WRITE));
	evdeferred_free(evrwlock_acquire(one, bob, EVRWLOCK_WRITE));
	report_take(EDEADLK);
	take_report(EVDEFER_REPORT_GRAPH);
	ck_assert_ptr_nonnull(strstr(reader.text, "lock1 -> owner1 ["));
	ck_assert_ptr_nonnull(strstr(reader.text, "owner1 -> lock2 ["));
	ck_assert_ptr_nonnull(strstr(reader.text, "lock2 -> owner2 ["));
	ck_assert_ptr_null(strstr(reader.text, "owner2 -> lock1 ["));
	ck_assert_ptr_nonnull(strstr(reader.text, "label=\"lock 2\\n"));
	part();
	evrwlock_free(one);
	evrwlock_free(two);
}
END_TEST

/* _i / 2: for an owner; _i % 2: after a wait. */
START_TEST(granted_and_not_told_yet)
{
	struct evrwlock *lock = evrwlock_new(base, 0);
	const char *who = _i / 2 == 0 ? "1 without an owner" : "\"bob\"";
	/* One that did not have to wait counts as inside at once. */
	const char *where = _i == 2 ? "inside " : "granted";
	char expected[128];

	meet();
	if (_i % 2 == 1)
		evrwlock_try(lock, alice, EVRWLOCK_WRITE);
	hold_on(
	    evrwlock_acquire(lock, _i / 2 == 0 ? NULL : bob, EVRWLOCK_READ));
	/* So that the report comes first. */
	start_report(EVDEFER_REPORT_TEXT);
	evdeferred_cancel(reader.d);
	end_report(ECANCELED);
	start_report(EVDEFER_REPORT_TEXT);
	evrwlock_release(lock, alice, EVRWLOCK_WRITE);
	if (_i % 2 == 0) {
		let_go();
		hold_on(evrwlock_acquire(
		    lock, _i / 2 == 0 ? NULL : bob, EVRWLOCK_READ));
	}
	event_base_dispatch(loop);
	end_report(0);
	reader.text[reader.length] = '\0';
	snprintf(expected, sizeof(expected), "    %s  %s: read\n", where, who);
	ck_assert_ptr_nonnull(strstr(reader.text, expected));
	part();
	evrwlock_free(lock);
}
END_TEST

START_TEST(granted_comes_before_inside_in_json)
{
	struct evrwlock *lock = evrwlock_new(base, 0);

	meet();
	evrwlock_try(lock, alice, EVRWLOCK_WRITE);
	evrwlock_try(lock, alice, EVRWLOCK_READ);
	hold_on(evrwlock_reader_acquire(lock));
	start_report(EVDEFER_REPORT_JSON);
	evrwlock_release(lock, alice, EVRWLOCK_WRITE);
	event_base_dispatch(loop);
	end_report(0);
	reader.text[reader.length] = '\0';
	ck_assert_ptr_nonnull(strstr(reader.text,
	    " \"granted\":[\n  "
	    "{\"owner\":null,\"mode\":\"read\",\"count\":1}],\n"
	    " \"inside\":[\n  {\"owner\":\"alice\",\"owner_number\":1,"
	    "\"mode\":\"read\",\"count\":1}],\n \"waiting\":[]}\n"));
	start_report(EVDEFER_REPORT_GRAPH);
	part();
	evrwlock_free(lock);
	event_base_dispatch(loop);
	end_report(0);
}
END_TEST

START_TEST(those_granted_are_told_from_those_inside)
{
	struct evrwlock *lock = evrwlock_new(base, 0);

	evrwlock_reader_try(lock);
	start_report(EVDEFER_REPORT_TEXT);
	hold_on(evrwlock_reader_acquire(lock));
	hold_on(evrwlock_reader_acquire(lock));
	event_base_dispatch(loop);
	end_report(0);
	reader.text[reader.length] = '\0';
	ck_assert_ptr_nonnull(
	    strstr(reader.text, "inside 3, waiting 0\n"
				"    granted  2 without an owner: read\n"
				"    inside   1 without an owner: read\n"));
	let_go();
	evrwlock_reader_release(lock);
	evrwlock_free(lock);
}
END_TEST

/* _i: with owners. */
START_TEST(upgradable_one_waits_to_upgrade)
{
	struct evrwlock *lock = evrwlock_new(base, 0);
	struct evowner *owner;

	meet();
	owner = _i == 1 ? alice : NULL;
	evrwlock_try(lock, owner, EVRWLOCK_UPGRADABLE);
	evrwlock_reader_try(lock);
	hold_on(evrwlock_acquire(lock, bob, EVRWLOCK_UPGRADABLE));
	hold_on(evrwlock_upgrade(lock, owner));
	ck_assert_str_eq(take_text(),
	    _i == 1 ? "lock (number 1, 0x): inside 2, waiting 2\n"
		      "    inside   \"alice\": upgradable read\n"
		      "    inside   1 without an owner: read\n"
		      "    waiting  \"bob\": upgradable read\n"
		      "    waiting  \"alice\": upgrade\n"
		    : "lock (number 1, 0x): inside 2, waiting 2\n"
		      "    inside   1 without an owner: read\n"
		      "    inside   1 without an owner: upgradable read\n"
		      "    waiting  \"bob\": upgradable read\n"
		      "    waiting  1 without an owner: upgrade\n");
	let_go();
	evrwlock_reader_release(lock);
	evrwlock_release(lock, owner, EVRWLOCK_UPGRADABLE);
	part();
	evrwlock_free(lock);
}
END_TEST

START_TEST(closed_lock_with_somebody_inside)
{
	struct evrwlock *lock = evrwlock_new(base, 0);

	evrwlock_reader_try(lock);
	evrwlock_free(lock);
	ck_assert_str_eq(take_text(),
	    "lock (number 1, 0x): inside 1, waiting 0, closed\n"
	    "    inside   1 without an owner: read\n");
	ck_assert_ptr_nonnull(
	    strstr(take_report(EVDEFER_REPORT_JSON), ",\"closed\":true,"));
	ck_assert_ptr_nonnull(
	    strstr(take_report(EVDEFER_REPORT_GRAPH), "\\nclosed\"]\n"));
	evrwlock_reader_release(lock);
	ck_assert_str_eq(take_text(), "");
}
END_TEST

START_TEST(mutex_semaphore_and_queue)
{
	struct evmutex *mutex = evmutex_new(base, 0);
	struct evsemaphore *semaphore = evsemaphore_new(base, 2, 0);
	struct evqueue *queue = evqueue_new(base, 8, 8, 0);

	meet();
	evmutex_try(mutex, alice);
	hold_on(evmutex_acquire(mutex, NULL));
	evsemaphore_try(semaphore, alice);
	evsemaphore_try(semaphore, NULL);
	hold_on(evsemaphore_acquire(semaphore, bob));
	hold_on(evqueue_get(queue));
	hold_on(evqueue_get(queue));
	ck_assert_str_eq(take_text(),
	    "mutex (number 1, 0x): inside 1, waiting 1\n"
	    "    inside   \"alice\": lock\n"
	    "    waiting  1 without an owner: lock\n"
	    "semaphore (number 2, 0x): inside 2, waiting 1, limit 2\n"
	    "    inside   \"alice\": token\n"
	    "    inside   1 without an owner: token\n"
	    "    waiting  \"bob\": token\n"
	    "queue (number 3, 0x): inside 0, waiting 2, objects 0\n"
	    "    waiting  2 without an owner: get\n");
	ck_assert_ptr_nonnull(strstr(take_report(EVDEFER_REPORT_GRAPH),
	    "label=\"semaphore 2\\ninside 2, waiting 1\\nlimit 2\"]\n"));
	evsemaphore_release(semaphore, NULL);
	part();
	evmutex_free(mutex);
	evsemaphore_free(semaphore);
	evqueue_free(queue);
}
END_TEST

START_TEST(queue_has_objects_that_are_promised)
{
	struct evqueue *queue = evqueue_new(base, 8, 8, 0);

	start_report(EVDEFER_REPORT_TEXT);
	evqueue_put(queue, evresult_value(NULL));
	evqueue_put(queue, evresult_value(NULL));
	hold_on(evqueue_get(queue));
	event_base_dispatch(loop);
	end_report(0);
	reader.text[reader.length] = '\0';
	ck_assert_ptr_nonnull(
	    strstr(reader.text, "inside 1, waiting 0, objects 1\n"
				"    granted  1 without an owner: get\n"));
	let_go();
	ck_assert_ptr_nonnull(strstr(take_report(EVDEFER_REPORT_JSON),
	    ",\"waiting_count\":0,\"objects\":1,\n"));
	evqueue_free(queue);
}
END_TEST

START_TEST(lock_in_a_group_has_a_right)
{
	struct evgroup *group = evgroup_new();
	struct evrwlock *lock = evrwlock_new_in_group(group, base, 0);
	struct evrwlock *other = evrwlock_new_in_group(group, base, 0);

	ck_assert_str_eq(take_text(),
	    "lock (number 1, 0x): free, reach group, right read\n"
	    "lock (number 2, 0x): free, reach group, right read\n");
	evrwlock_writer_try(lock);
	ck_assert_str_eq(take_text(),
	    "lock (number 1, 0x): inside 1, waiting 0, reach group, right "
	    "write\n"
	    "    inside   1 without an owner: write\n"
	    "lock (number 2, 0x): free, reach group, right nothing\n");
	ck_assert_ptr_nonnull(strstr(take_report(EVDEFER_REPORT_JSON),
	    ",\"reach\":\"group\",\"right\":\"nothing\",\n"));
	ck_assert_ptr_nonnull(strstr(take_report(EVDEFER_REPORT_GRAPH),
	    "\\nreach group\\nright write\"]\n"));
	evrwlock_writer_release(lock);
	evrwlock_free(lock);
	evrwlock_free(other);
	evgroup_free(group);
}
END_TEST

/* Let in to read, it has the right before it knows; one that reads keeps it while a
 * writer elsewhere waits. */
START_TEST(lock_in_a_group_keeps_its_right_to_read)
{
	struct evgroup *group = evgroup_new();
	struct evrwlock *lock = evrwlock_new_in_group(group, base, 0);
	struct evrwlock *other = evrwlock_new_in_group(group, base, 0);

	evrwlock_reader_try(lock);
	hold_on(evrwlock_writer_acquire(other));
	start_report(EVDEFER_REPORT_TEXT);
	turns(2);
	end_report(0);
	ck_assert_ptr_nonnull(strstr(
	    reader.text, "inside 1, waiting 0, reach group, right read\n"));
	ck_assert_ptr_nonnull(strstr(
	    reader.text, "inside 0, waiting 1, reach group, right nothing\n"));
	evrwlock_reader_release(lock);
	let_go();
	evrwlock_free(lock);
	evrwlock_free(other);
	evgroup_free(group);
}
END_TEST

START_TEST(lock_on_a_file_has_a_right)
{
	char path[] = "check_report_XXXXXX";
	const int fd = mkstemp(path);
	struct evrwlock *lock = evrwlock_new_on_file(base, path, 0);

	ck_assert_ptr_nonnull(lock);
	evrwlock_set_name(lock, "a_file");
	ck_assert_str_eq(take_text(), "lock \"a_file\" (number 1, 0x): free, "
				      "reach file, right nothing\n");
	evrwlock_reader_try(lock);
	ck_assert_str_eq(take_text(),
	    "lock \"a_file\" (number 1, 0x): inside 1, waiting 0, reach file, "
	    "right "
	    "read\n"
	    "    inside   1 without an owner: read\n");
	evrwlock_reader_release(lock);
	evrwlock_free(lock);
	close(fd);
	unlink(path);
}
END_TEST

/* All that a name can't be shown with as it is: control characters of one and of two
 * bytes, quotes, bytes that are not UTF-8 (a sequence cut off, too long a one, half of a
 * pair, beyond the last character), and what is. */
static const char odd[] =
    "a\x7f\n\"b\"\\\x1b[2J\xc2\x9b&amp;\\N<\xff\xe2\x82\xc0\xaf"
    "\xe0\x80\x80\xed\xa0\x80\xf4\x90\x80\x80\xf8"
    "\xc3\xa9\xe2\x82\xac\xf0\x9f\x94\x92\xc3";

START_TEST(odd_names_are_written_so_that_nothing_breaks)
{
	struct evrwlock *lock = named_lock(odd);
	struct evowner *owner = new_owner(odd);

	evrwlock_try(lock, owner, EVRWLOCK_READ);
	take_text();
	ck_assert_ptr_nonnull(strstr(reader.text,
	    "\n    inside   \"a\\x7f\\n\\\"b\\\"\\\\\\x1b[2J\\x9b&amp;\\\\N<"
	    "\\xff\\xe2\\x82\\xc0\\xaf\\xe0\\x80\\x80\\xed\\xa0\\x80"
	    "\\xf4\\x90\\x80\\x80\\xf8"
	    "\xc3\xa9\xe2\x82\xac\xf0\x9f\x94\x92\\xc3\": read\n"));
	take_report(EVDEFER_REPORT_JSON);
#define LOST "\\ufffd"
#define LOST3 LOST LOST LOST
	ck_assert_ptr_nonnull(strstr(reader.text,
	    "{\"owner\":\"a\x7f\\u000a\\\"b\\\"\\\\\\u001b[2J\xc2\x9b&amp;"
	    "\\\\N<" LOST LOST LOST LOST LOST LOST3 LOST3 LOST3 LOST LOST
	    "\xc3\xa9\xe2\x82\xac\xf0\x9f\x94\x92" LOST "\","));
#undef LOST
#define LOST "&#65533;"
	take_report(EVDEFER_REPORT_GRAPH);
	ck_assert_ptr_nonnull(strstr(reader.text,
	    "[label=\"a  \\\"b\\\"\\\\ [2J &amp;amp;\\\\N<" LOST LOST LOST LOST
		LOST LOST3 LOST3 LOST3 LOST LOST
	    "\xc3\xa9\xe2\x82\xac\xf0\x9f\x94\x92" LOST "\"]\n"));
	evowner_free(owner);
	evrwlock_free(lock);
}
END_TEST

START_TEST(name_may_be_longer_than_a_page)
{
	char *name = support_array(20001, 1);
	struct evrwlock *lock;

	memset(name, 'n', 20000);
	lock = named_lock(name);
	take_report(EVDEFER_REPORT_TEXT);
	ck_assert_ptr_nonnull(strstr(reader.text, name));
	evrwlock_free(lock);
	free(name);
}
END_TEST

/* 100 owners read, and 100 with an owner and 100 without wait: 64 of each list are
 * named. */
START_TEST(first_are_named_and_all_are_counted)
{
	struct evrwlock *lock = evrwlock_new(base, 0);
	struct evowner *owners[200];
	char name[16];
	int i;

	for (i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "o%d", i);
		owners[i] = new_owner(name);
	}
	for (i = 0; i < 100; i++)
		evrwlock_try(lock, owners[i], EVRWLOCK_READ);
	for (i = 100; i < 200; i++) {
		hold_on(evrwlock_acquire(lock, owners[i], EVRWLOCK_WRITE));
		hold_on(evrwlock_acquire(lock, NULL, mode_of(i)));
	}
	take_text();
	ck_assert_ptr_nonnull(strstr(reader.text, "\"o63\": read\n"
						  "    inside   and 36 more: "
						  "read\n"));
	ck_assert_ptr_nonnull(
	    strstr(reader.text, "    waiting  \"o131\": write\n"
				"    waiting  1 without an owner: write\n"
				"    waiting  and 34 more: read\n"
				"    waiting  and 102 more: write\n"));
	take_report(EVDEFER_REPORT_JSON);
	ck_assert_ptr_nonnull(strstr(reader.text,
	    "{\"owner\":null,\"mode\":\"read\",\"count\":36,\"rest\":true}"));
	take_report(EVDEFER_REPORT_GRAPH);
	ck_assert_ptr_nonnull(strstr(reader.text, "label=\"36 more\"]\n"));
	let_go();
	for (i = 0; i < 200; i++)
		evowner_free(owners[i]);
	evrwlock_free(lock);
}
END_TEST

/* Who has left is not told of, nor is anybody inside left out for it. */
START_TEST(those_that_have_left_are_not_named)
{
	struct evrwlock *lock = evrwlock_new(base, 0);
	struct evowner *owners[100];
	int i;

	meet();
	for (i = 0; i < 100; i++) {
		owners[i] = new_owner("gone");
		evrwlock_try(lock, owners[i], EVRWLOCK_READ);
	}
	evrwlock_try(lock, alice, EVRWLOCK_READ);
	for (i = 0; i < 100; i++)
		evrwlock_release(lock, owners[i], EVRWLOCK_READ);
	take_text();
	ck_assert_ptr_null(strstr(reader.text, "gone"));
	ck_assert_ptr_nonnull(strstr(reader.text, "\"alice\": read\n"));
	/* One that comes again is. */
	evrwlock_try(lock, owners[0], EVRWLOCK_READ);
	take_text();
	ck_assert_ptr_nonnull(strstr(reader.text, "\"gone\": read\n"));
	for (i = 0; i < 100; i++)
		evowner_free(owners[i]);
	part();
	evrwlock_free(lock);
}
END_TEST

START_TEST(first_that_were_granted_are_named)
{
	struct evrwlock *lock = evrwlock_new(base, 0);
	struct evqueue *queue = evqueue_new(base, 100, 100, 0);
	int i;

	start_report(EVDEFER_REPORT_TEXT);
	for (i = 0; i < 70; i++) {
		hold_on(evrwlock_reader_acquire(lock));
		hold_on(evqueue_get(queue));
	}
	for (i = 0; i < 68; i++)
		evqueue_put(queue, evresult_value(NULL));
	turns(1);
	reader.text[reader.length] = '\0';
	ck_assert_ptr_nonnull(
	    strstr(reader.text, "    granted  64 without an owner: read\n"
				"    inside   and 6 more: read\n"));
	event_base_dispatch(loop);
	end_report(0);
	let_go();
	for (i = 0; i < 70; i++)
		hold_on(evqueue_get(queue));
	take_text();
	ck_assert_ptr_nonnull(
	    strstr(reader.text, "    waiting  64 without an owner: get\n"
				"    waiting  and 6 more: get\n"));
	let_go();
	evrwlock_free(lock);
	evqueue_free(queue);
}
END_TEST

START_TEST(bad_arguments_are_refused)
{
	evdefer_report_write_fn write =
	    (evdefer_report_write_fn)(void (*)(void))abort;

	REFUSED_NULL(evdefer_base_report(NULL, 0, write, NULL), EINVAL);
	REFUSED_NULL(evdefer_base_report(base, 0, NULL, NULL), EINVAL);
	REFUSED_NULL(evdefer_base_report(
			 base, (enum evdefer_report_format)3, write, NULL),
	    EINVAL);
}
END_TEST

START_TEST(closed_base_is_refused)
{
	struct evrwlock *lock = evrwlock_new(base, 0);
	struct evdefer_base *closed = base;

	support_free_base();
	REFUSED_NULL(evdefer_base_report(closed, EVDEFER_REPORT_TEXT,
			 (evdefer_report_write_fn)(void (*)(void))abort, NULL),
	    ESHUTDOWN);
	evrwlock_free(lock);
}
END_TEST

/* In a library whose tickets are few: those that wait get others meanwhile. */
START_TEST(order_of_asking_outlasts_tickets)
{
	struct evrwlock *lock = evrwlock_new(base, EVRWLOCK_FAIR);
	int i;

	evrwlock_writer_try(lock);
	hold_on(evrwlock_writer_acquire(lock));
	hold_on(evrwlock_reader_acquire(lock));
	hold_on(evrwlock_writer_acquire(lock));
	for (i = 0; i < 20; i++)
		evdeferred_free(evrwlock_reader_acquire(lock));
	ck_assert_str_eq(take_text(),
	    "lock (number 1, 0x): inside 1, waiting 3\n"
	    "    inside   1 without an owner: write\n"
	    "    waiting  1 without an owner: write\n"
	    "    waiting  1 without an owner: read\n"
	    "    waiting  1 without an owner: write\n");
	evrwlock_writer_release(lock);
	/* It is also that of a fair lock. */
	ck_assert(evrwlock_is_writing(lock));
	let_go();
	evrwlock_free(lock);
}
END_TEST

static Suite *
report_suite(void)
{
	Suite *suite = suite_create("report");
	TCase *tcase = add_case(suite, "formats");

	tcase_add_test(tcase, nothing_to_tell_of);
	tcase_add_test(tcase, free_lock_is_in_all_but_the_graph);
	tcase_add_test(tcase, text_says_who_is_inside_and_who_waits);
	tcase_add_test(tcase, json_says_who_is_inside_and_who_waits);
	tcase_add_test(tcase, graph_has_an_arrow_for_each_hold_and_wait);
	tcase_add_test(tcase, cycle_is_a_ring_of_arrows);
	tcase_add_loop_test(tcase, granted_and_not_told_yet, 0, 4);
	tcase_add_test(tcase, granted_comes_before_inside_in_json);
	tcase_add_test(tcase, those_granted_are_told_from_those_inside);
	tcase_add_loop_test(tcase, upgradable_one_waits_to_upgrade, 0, 2);
	tcase_add_test(tcase, closed_lock_with_somebody_inside);
	tcase_add_test(tcase, bad_arguments_are_refused);
	tcase_add_test(tcase, closed_base_is_refused);

	tcase = add_case(suite, "kinds");
	tcase_add_test(tcase, mutex_semaphore_and_queue);
	tcase_add_test(tcase, queue_has_objects_that_are_promised);
	tcase_add_test(tcase, lock_in_a_group_has_a_right);
	tcase_add_test(tcase, lock_in_a_group_keeps_its_right_to_read);
	tcase_add_test(tcase, lock_on_a_file_has_a_right);

	tcase = add_case(suite, "names");
	tcase_add_test(tcase, odd_names_are_written_so_that_nothing_breaks);
	tcase_add_test(tcase, name_may_be_longer_than_a_page);
	tcase_add_test(tcase, those_that_have_left_are_not_named);
	tcase_add_test(tcase, first_are_named_and_all_are_counted);
	tcase_add_test(tcase, first_that_were_granted_are_named);
	tcase_add_test(tcase, order_of_asking_outlasts_tickets);
	return suite;
}

int
main(void)
{
	return support_main(report_suite());
}
