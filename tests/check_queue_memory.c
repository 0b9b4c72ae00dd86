/* SPDX-License-Identifier: MIT */
/* What the queue needs of memory and of the stack, with a million objects, and with
 * gets that come and go at random. */
#include "queues.h"
#include "shortage.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static int
queue_round(void)
{
	struct evdeferred *d[8];
	struct waiter p[8];
	int i, sum = 0;

	memset(p, 0, sizeof(p));
	for (i = 0; i < 8; i++) {
		if (i % 2 == 0)
			evqueue_put(queue, evresult_value(&numbers[i]));
		d[i] = evqueue_get(queue);
		evdeferred_add_callbacks(d[i], on_grant, on_loss, &p[i]);
	}
	turns(2);
	evdeferred_cancel(d[7]);
	for (i = 0; i < 3; i++)
		evqueue_put(queue, evresult_value(&numbers[i]));
	turns(2);
	for (i = 0; i < 8; i++) {
		sum += p[i].granted;
		evdeferred_free(d[i]);
	}
	return sum;
}

START_TEST(steady_state_allocates_nothing)
{
	make(_i, SIZE_MAX, SIZE_MAX);
	check_steady_state(queue_round, 7);
	counts(0, 0);
	done(NULL, 0);
}
END_TEST

/* _i: a new queue, an object, a get. */
START_TEST(call_without_memory_is_enomem)
{
	int freed = 0;

	make(0, SIZE_MAX, SIZE_MAX);
	if (_i == 0)
		NULL_WITHOUT_MEMORY(evqueue_new(base, 1, 1, 0));
	else if (_i == 1)
		REFUSED_WITHOUT_MEMORY(evqueue_put(queue, counting(&freed)));
	else
		NULL_WITHOUT_MEMORY(evqueue_get(queue));
	ck_assert_int_eq(freed, 0);
	counts(0, 0);
	done(NULL, 0);
}
END_TEST

START_TEST(get_without_base_and_memory_is_enomem)
{
	struct evdefer_base *closed = evdefer_base_new(loop);
	struct evqueue *of_closed = evqueue_new(closed, 1, 1, 0);

	evdefer_base_free(closed);
	NULL_WITHOUT_MEMORY(evqueue_get(of_closed));
	evqueue_free(of_closed);
}
END_TEST

/* Scale. */

static size_t next_object, out_of_order;

static struct evresult
take(void *value, void *arg)
{
	(void)arg;
	out_of_order += (size_t)value != next_object;
	next_object++;
	return evresult_value(NULL);
}

static void
get_many(size_t count)
{
	struct evdeferred *d;

	while (count-- > 0) {
		d = evqueue_get(queue);
		evdeferred_add_callback(d, take, NULL);
		evdeferred_detach(d);
	}
}

static void
put_many(size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		evqueue_put(queue, evresult_value((void *)i));
}

/* _i / 2: what comes first. */
START_TEST(million_objects_and_gets_meet)
{
	size_t scale = support_scale();

	make(_i, SIZE_MAX, SIZE_MAX);
	next_object = out_of_order = 0;
	if (_i / 2 == 0)
		get_many(scale);
	put_many(scale);
	if (_i / 2 == 1)
		get_many(scale);
	event_base_dispatch(loop);
	ck_assert_uint_eq(next_object, scale);
	ck_assert_uint_eq(out_of_order, 0);
	counts(0, 0);
	done(NULL, 0);
}
END_TEST

/* _i: whether there are objects on their way.  From the middle of the queue,
 * and from both ends. */
START_TEST(million_gets_leave)
{
	size_t i, scale = support_scale();
	struct evdeferred **d =
	    support_array(scale, sizeof(struct evdeferred *));
	struct seen seen = {0};

	make(0, SIZE_MAX, SIZE_MAX);
	for (i = 0; i < scale; i++) {
		d[i] = evqueue_get(queue);
		evdeferred_add_callbacks(d[i], see_value, see_failure, &seen);
	}
	if (_i == 1)
		put_many(scale / 2);
	for (i = 0; i < scale; i++) {
		size_t which = i % 2 == 0 ? scale - 1 - i / 2 : i / 2;

		if (i % 3 == 0)
			evdeferred_cancel(d[which]);
		evdeferred_free(d[which]);
	}
	ck_assert_int_eq(seen.failures, (int)((scale + 2) / 3));
	ck_assert_int_eq(seen.values, 0);
	counts(_i == 1 ? scale / 2 : 0, 0);
	next_object = out_of_order = 0;
	get_many(_i == 1 ? scale / 2 : 0);
	event_base_dispatch(loop);
	ck_assert_uint_eq(out_of_order, 0);
	free(d);
	done(NULL, 0);
}
END_TEST

START_TEST(million_gets_are_shut_out)
{
	size_t i, scale = support_scale();
	struct seen seen = {0};
	struct evdeferred *d;

	make(_i, SIZE_MAX, SIZE_MAX);
	for (i = 0; i < scale; i++) {
		d = evqueue_get(queue);
		evdeferred_add_callbacks(d, see_value, see_failure, &seen);
		evdeferred_detach(d);
	}
	if (_i == 2)
		put_many(scale / 2);
	evqueue_free(queue);
	ck_assert_int_eq(seen.failures, (int)scale);
	ck_assert_int_eq(seen.code, ESHUTDOWN);
}
END_TEST

/* Gets come and go at random, before an object, with one on its way, and after;
 * whatever they do, the objects come out in order, and none is lost. */
enum { PARTIES = 24, STEPS = 100000 };

static struct evresult
count_failure(struct evfailure *failure, void *arg)
{
	++*(size_t *)arg;
	ck_assert_int_eq(evfailure_get_code(failure), ECANCELED);
	return evresult_value(NULL);
}

static void
step(struct evdeferred **d, unsigned choice, size_t *put_so_far, size_t *failed)
{
	struct evdeferred **one = &d[choice / 8 % PARTIES];

	switch (choice % 8) {
	case 0:
	case 1:
	case 2:
		if (evqueue_put(queue, evresult_value((void *)*put_so_far)) ==
		    0)
			++*put_so_far;
		return;
	case 3:
	case 4:
	case 5:
		evdeferred_free(*one);
		*one = evqueue_get(queue);
		evdeferred_add_callbacks(*one, take, count_failure, failed);
		return;
	case 6:
		evdeferred_cancel(*one);
		return;
	default:
		turns(1);
	}
}

START_TEST(objects_keep_their_order_whatever_gets_do)
{
	struct evdeferred *d[PARTIES] = {NULL};
	size_t put_so_far = 0, failed = 0;
	struct evqueue_stats stats;
	unsigned random = 1;
	int i;

	make(_i, 8, 6);
	next_object = out_of_order = 0;
	for (i = 0; i < STEPS; i++) {
		random = random * 1103515245 + 12345;
		step(d, random >> 8, &put_so_far, &failed);
	}
	settle();
	evqueue_get_stats(queue, &stats);
	ck_assert_uint_eq(out_of_order, 0);
	ck_assert_uint_gt(next_object, 1000);
	ck_assert_uint_gt(failed, 100);
	ck_assert_uint_eq(stats.put, put_so_far);
	ck_assert_uint_eq(stats.got, next_object);
	ck_assert_uint_eq(stats.put - stats.got, stats.queued);
	ck_assert_uint_le(stats.longest_queue, 6);
	for (i = 0; i < PARTIES; i++)
		evdeferred_free(d[i]);
	done(NULL, 0);
}
END_TEST

/* A consumer that gets the next one from the callback of the last one, and
 * itself puts what it gets back; arg: whether it puts first. */
static struct evresult
again(void *value, void *arg)
{
	struct evdeferred *d;

	if (++next_object >= support_scale())
		return evresult_value(NULL);
	if (arg != NULL)
		evqueue_put(queue, evresult_value(value));
	d = evqueue_get(queue);
	evdeferred_add_callback(d, again, arg);
	evdeferred_detach(d);
	if (arg == NULL)
		evqueue_put(queue, evresult_value(value));
	return evresult_value(NULL);
}

START_TEST(million_gets_by_callbacks)
{
	struct evdeferred *d;

	make(_i, 1, 1);
	next_object = 0;
	d = evqueue_get(queue);
	evdeferred_add_callback(d, again, _i / 2 == 0 ? NULL : queue);
	evdeferred_detach(d);
	put(0);
	event_base_dispatch(loop);
	ck_assert_uint_eq(next_object, support_scale());
	done(NULL, 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("queue_memory");
	TCase *tc = add_case(suite, "memory");

	tcase_add_loop_test(tc, steady_state_allocates_nothing, 0, 2);
	tcase_add_loop_test(tc, call_without_memory_is_enomem, 0, 3);
	tcase_add_test(tc, get_without_base_and_memory_is_enomem);

	tc = add_case(suite, "random");
	tcase_add_loop_test(
	    tc, objects_keep_their_order_whatever_gets_do, 0, 2);

	tc = add_case(suite, "scale");
	tcase_add_checked_fixture(tc, support_small_stack, NULL);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, million_objects_and_gets_meet, 0, 4);
	tcase_add_loop_test(tc, million_gets_leave, 0, 2);
	tcase_add_loop_test(tc, million_gets_are_shut_out, 0, 3);
	tcase_add_loop_test(tc, million_gets_by_callbacks, 0, 4);
	return support_main(suite);
}
