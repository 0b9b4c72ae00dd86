/* SPDX-License-Identifier: MIT */
/* evdefer/observer.h.  That the order holds in all other tests as well is what the
 * programs ..._observed show. */
#include "dice.h"
#include "groups.h"
#include "onlooker.h"
#include "shortage.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/*
 * An observer that writes down what it is told.
 */

static char told[4096];
static const struct evdeferred *watched; /* the Deferred of the last acquire */

static void
write_down(const char *step, const struct evobserver_event *event)
{
	static const char *const kinds[] = {
	    "rwlock", "semaphore", "mutex", "queue"};
	const size_t length = strlen(told);

	snprintf(told + length, sizeof(told) - length, "%s %s %s%s%s", step,
	    kinds[event->kind], event->mode == EVRWLOCK_READ ? "read" : "write",
	    event->owner_name != NULL ? " " : "",
	    event->owner_name != NULL ? event->owner_name : "");
	if (event->error != 0)
		snprintf(told + strlen(told), sizeof(told) - strlen(told),
		    " %d", event->error);
	strcat(told, "\n");
	errno = ENOENT; /* which is nobody's business */
}

static void
write_acquire(const struct evobserver_event *event, void *arg)
{
	watched = event->deferred;
	ck_assert_ptr_eq(arg, told);
	write_down(event->waits ? "wait" : "acquire", event);
}

static void
write_grant(const struct evobserver_event *event, void *arg)
{
	(void)arg;
	write_down("grant", event);
}

static void
write_delivery(const struct evobserver_event *event, void *arg)
{
	(void)arg;
	write_down("deliver", event);
}

static void
write_release(const struct evobserver_event *event, void *arg)
{
	(void)arg;
	write_down("release", event);
}

static void
write_cancel(const struct evobserver_event *event, void *arg)
{
	(void)arg;
	write_down("cancel", event);
}

static const struct evobserver writer = {.acquire = write_acquire,
    .grant = write_grant,
    .deliver = write_delivery,
    .release = write_release,
    .cancel = write_cancel};

static void
look_on(void)
{
	told[0] = '\0';
	ck_assert_int_eq(evdefer_base_set_observer(base, &writer, told), 0);
}

/* What was told since. */
#define TOLD(text)                                                             \
	do {                                                                   \
		ck_assert_str_eq(told, text);                                  \
		told[0] = '\0';                                                \
	} while (0)

/*
 * Locks.
 */

START_TEST(bad_arguments_are_einval)
{
	REFUSED(evdefer_base_set_observer(NULL, &writer, NULL), EINVAL);
	ck_assert_int_eq(evdefer_base_set_observer(base, NULL, NULL), 0);
}
END_TEST

START_TEST(what_a_reader_does_is_told)
{
	struct evrwlock *lock = new_lock(_i);
	struct waiter waiter;

	look_on();
	wait_with(&waiter, evrwlock_reader_acquire(lock), lock);
	if (_i == 0)
		TOLD("acquire rwlock read\ngrant rwlock read\n");
	settle();
	ck_assert_int_eq(waiter.granted, 1);
	ck_assert_ptr_eq(watched, waiter.d);
	if (_i == 0)
		TOLD("deliver rwlock read\n");
	else
		TOLD("acquire rwlock read\ngrant rwlock read\n"
		     "deliver rwlock read\n");
	ck_assert_int_eq(evrwlock_reader_release(lock), 0);
	TOLD("release rwlock read\n");
	evdeferred_free(waiter.d);
	evrwlock_free(lock);
	TOLD("");
}
END_TEST

START_TEST(names_are_told)
{
	struct evrwlock *lock = new_lock(_i);

	ck_assert_int_eq(evrwlock_set_name(lock, "the \"store\""), 0);
	look_on();
	ck_assert_int_eq(evrwlock_try(lock, NULL, EVRWLOCK_WRITE), 0);
	ck_assert_ptr_null(watched);
	TOLD("acquire rwlock write\ngrant rwlock write\n"
	     "deliver rwlock write\n");
	ck_assert_int_eq(evrwlock_release(lock, NULL, EVRWLOCK_WRITE), 0);
	TOLD("release rwlock write\n");
	evrwlock_free(lock);
}
END_TEST

START_TEST(what_an_observer_does_with_errno_does_not_matter)
{
	struct evrwlock *lock = new_lock(_i);
	int result;

	look_on();
	errno = E2BIG;
	result = evrwlock_reader_try(lock);
	ck_assert_int_eq(errno, E2BIG);
	ck_assert_int_eq(result, 0);
	errno = E2BIG;
	result = evrwlock_reader_release(lock);
	ck_assert_int_eq(errno, E2BIG);
	ck_assert_int_eq(result, 0);
	evrwlock_free(lock);
}
END_TEST

START_TEST(a_try_that_fails_is_cancelled)
{
	struct evrwlock *lock = new_lock(_i);
	struct evowner *ann = new_owner("ann"), *bob = new_owner("bob");

	look_on();
	ck_assert_int_eq(evrwlock_try(lock, ann, EVRWLOCK_READ), 0);
	TOLD("acquire rwlock read ann\ngrant rwlock read ann\n"
	     "deliver rwlock read ann\n");
	REFUSED(evrwlock_writer_try(lock), EBUSY);
	TOLD("acquire rwlock write\ncancel rwlock write 16\n");
	REFUSED(evrwlock_try(lock, bob, EVRWLOCK_WRITE), EBUSY);
	TOLD("acquire rwlock write bob\ncancel rwlock write bob 16\n");
	REFUSED(evrwlock_try(lock, ann, EVRWLOCK_WRITE), EDEADLK);
	TOLD("acquire rwlock write ann\ncancel rwlock write ann 35\n");
	REFUSED(evrwlock_try(NULL, ann, EVRWLOCK_WRITE), EINVAL);
	REFUSED(evrwlock_release(lock, bob, EVRWLOCK_READ), EPERM);
	TOLD("");
	evrwlock_free(lock);
	REFUSED(evrwlock_try(lock, ann, EVRWLOCK_READ), ESHUTDOWN);
	TOLD("acquire rwlock read ann\ncancel rwlock read ann 108\n");
	REFUSED(evrwlock_reader_try(lock), ESHUTDOWN);
	TOLD("acquire rwlock read\ncancel rwlock read 108\n");
	evowner_free(ann);
	TOLD("release rwlock read ann\n");
	evowner_free(bob);
}
END_TEST

START_TEST(a_wait_that_is_given_up_is_cancelled)
{
	struct evrwlock *lock = new_lock(_i);
	struct waiter waiter;

	ck_assert_int_eq(evrwlock_writer_try(lock), 0);
	look_on();
	wait_with(&waiter, evrwlock_reader_acquire(lock), lock);
	TOLD("wait rwlock read\n");
	give_up(&waiter, CANCEL);
	TOLD("cancel rwlock read 125\n");
	evdeferred_free(waiter.d);
	ck_assert_int_eq(evrwlock_writer_release(lock), 0);
	TOLD("release rwlock write\n");
	evrwlock_free(lock);
}
END_TEST

START_TEST(a_grant_on_its_way_is_cancelled)
{
	struct evrwlock *lock = new_lock(0);

	look_on();
	evdeferred_free(evrwlock_writer_acquire(lock));
	TOLD("acquire rwlock write\ngrant rwlock write\n"
	     "cancel rwlock write 125\n");
	evrwlock_free(lock);
}
END_TEST

START_TEST(a_grant_that_nobody_received_is_released)
{
	struct evrwlock *lock = new_lock(_i);
	struct evowner *ann = new_owner("ann");
	struct evdeferred *d;

	look_on();
	d = evrwlock_acquire(lock, ann, EVRWLOCK_WRITE);
	settle();
	TOLD("acquire rwlock write ann\ngrant rwlock write ann\n"
	     "deliver rwlock write ann\n");
	evdeferred_free(d);
	TOLD("release rwlock write ann\n");
	evowner_free(ann);
	evrwlock_free(lock);
}
END_TEST

START_TEST(each_of_many_readers_is_told_of)
{
	struct evrwlock *lock = new_lock(_i);
	struct waiter waiters[3];
	int i;

	ck_assert_int_eq(evrwlock_writer_try(lock), 0);
	evdefer_base_set_observer(base, &onlooker, NULL);
	for (i = 0; i < 3; i++)
		wait_with(&waiters[i], evrwlock_reader_acquire(lock), lock);
	ck_assert_uint_eq(onlooker_counts.waiting, 3);
	look_on();
	ck_assert_int_eq(evrwlock_writer_release(lock), 0);
	settle();
	TOLD("release rwlock write\n"
	     "grant rwlock read\ngrant rwlock read\ngrant rwlock read\n"
	     "deliver rwlock read\ndeliver rwlock read\n"
	     "deliver rwlock read\n");
	evdefer_base_set_observer(base, NULL, NULL);
	for (i = 0; i < 3; i++)
		ck_assert_int_eq(evrwlock_reader_release(lock), 0);
	free_waiters(waiters, 3);
	evrwlock_free(lock);
}
END_TEST

START_TEST(a_deadlock_is_cancelled)
{
	struct evrwlock *red = new_lock(_i), *blue = new_lock(_i);
	struct evowner *ann = new_owner("ann"), *bob = new_owner("bob");
	struct waiter waiters[2];

	evrwlock_try(red, ann, EVRWLOCK_WRITE);
	evrwlock_try(blue, bob, EVRWLOCK_WRITE);
	look_on();
	wait_with(
	    &waiters[0], evrwlock_acquire(blue, ann, EVRWLOCK_READ), blue);
	TOLD("wait rwlock read ann\n");
	wait_with(&waiters[1], evrwlock_acquire(red, bob, EVRWLOCK_READ), red);
	TOLD("wait rwlock read bob\ncancel rwlock read bob 35\n");
	ck_assert_int_eq(waiters[1].failed, EDEADLK);
	evdeferred_free(evrwlock_acquire(red, ann, EVRWLOCK_WRITE));
	settle();
	told[0] = '\0';
	/* What it waits for first, then what it has. */
	evowner_free(ann);
	TOLD("cancel rwlock read ann 125\nrelease rwlock write ann\n");
	evowner_free(bob);
	TOLD("release rwlock write bob\n");
	free_waiters(waiters, 2);
	evrwlock_free(red);
	evrwlock_free(blue);
}
END_TEST

START_TEST(an_upgrade_is_refused)
{
	struct evrwlock *lock = new_lock(_i);
	struct evowner *ann = new_owner("ann");
	struct waiter waiter;

	evrwlock_try(lock, ann, EVRWLOCK_READ);
	look_on();
	wait_with(&waiter, evrwlock_acquire(lock, ann, EVRWLOCK_WRITE), lock);
	TOLD("acquire rwlock write ann\ncancel rwlock write ann 35\n");
	evdeferred_free(waiter.d);
	evowner_free(ann);
	evrwlock_free(lock);
}
END_TEST

START_TEST(a_lock_that_closes_cancels)
{
	struct evrwlock *lock = new_lock(_i);
	struct evowner *ann = new_owner("ann");
	struct waiter waiters[2];

	evrwlock_writer_try(lock);
	look_on();
	wait_with(&waiters[0], evrwlock_reader_acquire(lock), lock);
	wait_with(
	    &waiters[1], evrwlock_acquire(lock, ann, EVRWLOCK_READ), lock);
	TOLD("wait rwlock read\nwait rwlock read ann\n");
	evrwlock_free(lock);
	TOLD("cancel rwlock read 108\ncancel rwlock read ann 108\n");
	free_waiters(waiters, 2);
	wait_with(&waiters[0], evrwlock_reader_acquire(lock), lock);
	TOLD("acquire rwlock read\ncancel rwlock read 108\n");
	wait_with(
	    &waiters[1], evrwlock_acquire(lock, ann, EVRWLOCK_READ), lock);
	TOLD("acquire rwlock read ann\ncancel rwlock read ann 108\n");
	free_waiters(waiters, 2);
	evowner_free(ann);
	ck_assert_int_eq(evrwlock_writer_release(lock), 0);
	TOLD("release rwlock write\n");
}
END_TEST

START_TEST(on_a_closed_base_it_goes_on)
{
	struct evrwlock *lock = new_lock(_i);

	evrwlock_reader_try(lock);
	look_on();
	support_free_base();
	ck_assert_int_eq(evrwlock_reader_release(lock), 0);
	TOLD("release rwlock read\n");
	evrwlock_free(lock);
}
END_TEST

START_TEST(a_failed_acquire_is_not_told_of)
{
	struct evrwlock *lock = new_lock(_i);

	look_on();
	NULL_WITHOUT_MEMORY(evrwlock_reader_acquire(lock));
	REFUSED_NULL(evrwlock_reader_acquire(NULL), EINVAL);
	TOLD("");
	evrwlock_writer_try(lock);
	evrwlock_free(lock);
	told[0] = '\0';
	NULL_WITHOUT_MEMORY(evrwlock_reader_acquire(lock));
	TOLD("");
	ck_assert_int_eq(evrwlock_writer_release(lock), 0);
}
END_TEST

/*
 * Semaphores, mutexes, queues.
 */

START_TEST(a_semaphore_is_told_of)
{
	struct evsemaphore *semaphore =
	    evsemaphore_new(base, 1, _i == 0 ? 0 : EVSEMAPHORE_FAST);
	struct evmutex *mutex = evmutex_new(base, _i == 0 ? 0 : EVMUTEX_FAST);
	struct evowner *ann = new_owner("ann");
	struct waiter waiter;

	look_on();
	ck_assert_int_eq(evsemaphore_try(semaphore, ann), 0);
	TOLD("acquire semaphore write ann\ngrant semaphore write ann\n"
	     "deliver semaphore write ann\n");
	wait_with(&waiter, evsemaphore_acquire(semaphore, NULL), semaphore);
	ck_assert_int_eq(evsemaphore_release(semaphore, ann), 0);
	settle();
	TOLD("wait semaphore write\nrelease semaphore write ann\n"
	     "grant semaphore write\ndeliver semaphore write\n");
	ck_assert_int_eq(evsemaphore_release(semaphore, NULL), 0);
	TOLD("release semaphore write\n");
	evdeferred_free(waiter.d);
	ck_assert_int_eq(evmutex_try(mutex, NULL), 0);
	REFUSED(evmutex_try(mutex, ann), EBUSY);
	ck_assert_int_eq(evmutex_release(mutex, NULL), 0);
	TOLD("acquire mutex write\ngrant mutex write\n"
	     "deliver mutex write\n"
	     "acquire mutex write ann\ncancel mutex write ann 16\n"
	     "release mutex write\n");
	evowner_free(ann);
	evmutex_free(mutex);
	evsemaphore_free(semaphore);
}
END_TEST

START_TEST(gets_of_a_queue_are_told_of)
{
	struct evqueue *queue =
	    evqueue_new(base, 4, 4, _i == 0 ? 0 : EVQUEUE_FAST);
	struct evdeferred *d[4];
	int i;

	look_on();
	for (i = 0; i < 3; i++)
		d[i] = evqueue_get(queue);
	TOLD("wait queue write\nwait queue write\nwait queue write\n");
	ck_assert_int_eq(evqueue_put(queue, evresult_value(NULL)), 0);
	settle();
	TOLD("grant queue write\ndeliver queue write\n");
	evdeferred_free(d[1]);
	TOLD("cancel queue write 125\n");
	evdeferred_add_errback(d[2], trace_failure, "x");
	evqueue_free(queue);
	TOLD("cancel queue write 108\n");
	evdeferred_cancel(d[2]);
	evdeferred_free(d[0]);
	evdeferred_free(d[2]);
	report_take(ESHUTDOWN);
}
END_TEST

START_TEST(a_get_of_a_queue_that_closes_is_refused)
{
	struct evqueue *queue =
	    evqueue_new(base, 4, 4, _i == 0 ? 0 : EVQUEUE_FAST);
	struct evdeferred *d;
	struct waiter waiter;

	look_on();
	ck_assert_int_eq(evqueue_put(queue, evresult_value(NULL)), 0);
	d = evqueue_get(queue);
	settle();
	TOLD("acquire queue write\ngrant queue write\ndeliver queue write\n");
	evdeferred_free(d);
	support_free_base();
	wait_with(&waiter, evqueue_get(queue), NULL);
	ck_assert_int_eq(waiter.failed, ESHUTDOWN);
	TOLD("acquire queue write\ncancel queue write 108\n");
	evdeferred_free(waiter.d);
	evqueue_free(queue);
}
END_TEST

/*
 * Deferreds.
 */

static void
give_up_quietly(struct evdeferred *d, void *arg)
{
	(void)d;
	(void)arg;
}

START_TEST(a_deferred_is_made_fires_and_goes)
{
	struct evdeferred *before = evdeferred_new(base, NULL, NULL), *d;

	evdefer_base_set_observer(base, &onlooker, NULL);
	evdeferred_callback(before, NULL);
	evdeferred_free(before);
	ck_assert_uint_eq(onlooker_counts.fired, 0);
	d = evdeferred_new(base, NULL, NULL);
	ck_assert_uint_eq(onlooker_counts.made, 1);
	ck_assert_int_eq(evdeferred_callback(d, NULL), 0);
	ck_assert_uint_eq(onlooker_counts.fired, 1);
	REFUSED(evdeferred_callback(d, NULL), EALREADY);
	ck_assert_uint_eq(onlooker_counts.fired, 1);
	evdeferred_free(d);
	ck_assert_uint_eq(onlooker_counts.gone, 1);
	/* One that nobody fires. */
	evdeferred_free(evdeferred_new(base, give_up_quietly, NULL));
	ck_assert_uint_eq(onlooker_counts.fired, 1);
	ck_assert_uint_eq(onlooker_counts.made, 2);
	ck_assert_uint_eq(onlooker_counts.gone, 2);
	/* One whose producer is late. */
	d = evdeferred_new(base, NULL, NULL);
	evdeferred_cancel(d);
	ck_assert_uint_eq(onlooker_counts.fired, 2);
	evdeferred_free(d);
	ck_assert_uint_eq(onlooker_counts.gone, 2);
	ck_assert_int_eq(evdeferred_callback(d, NULL), 0);
	ck_assert_uint_eq(onlooker_counts.gone, 3);
}
END_TEST

static int last_code;

static void
note_code(const struct evdeferred *d, int code, void *arg)
{
	(void)d;
	(void)arg;
	last_code = code;
}

START_TEST(the_code_of_a_failure_is_told)
{
	static const struct evobserver codes = {.fired = note_code};
	struct evdeferred *d;

	evdefer_base_set_observer(base, &codes, NULL);
	d = evdeferred_new(base, NULL, NULL);
	evdeferred_errback(d, EILSEQ, "no");
	ck_assert_int_eq(last_code, EILSEQ);
	evdeferred_free(d);
	report_take(EILSEQ);
	d = evdeferred_new_fired(base, evresult_value(NULL));
	ck_assert_int_eq(last_code, 0);
	evdeferred_free(d);
}
END_TEST

START_TEST(what_has_no_function_is_not_told)
{
	static const struct evobserver nothing = {.acquire = NULL};
	struct evrwlock *lock = new_lock(_i);
	struct waiter waiter;

	evdefer_base_set_observer(base, &nothing, NULL);
	wait_with(&waiter, evrwlock_reader_acquire(lock), lock);
	settle();
	ck_assert_int_eq(waiter.granted, 1);
	ck_assert_int_eq(evrwlock_reader_release(lock), 0);
	evdeferred_free(waiter.d);
	evrwlock_free(lock);
}
END_TEST

START_TEST(one_that_is_set_in_place_of_another_goes_on)
{
	struct evrwlock *lock = new_lock(_i);
	struct evdeferred *d;

	evdefer_base_set_observer(base, &onlooker, NULL);
	evrwlock_writer_try(lock);
	d = evrwlock_reader_acquire(lock);
	look_on();
	evrwlock_writer_release(lock);
	settle();
	TOLD("release rwlock write\ngrant rwlock read\n"
	     "deliver rwlock read\n");
	evdefer_base_set_observer(base, NULL, NULL);
	evdeferred_free(d);
	TOLD("");
	/* And the short ways are open again. */
	ck_assert_int_eq(evrwlock_writer_try(lock), 0);
	ck_assert_int_eq(evrwlock_writer_release(lock), 0);
	evrwlock_free(lock);
	TOLD("");
}
END_TEST

START_TEST(with_debugging_on_it_is_told_as_well)
{
	struct evdeferred *d;

	ck_assert_int_eq(evdefer_base_set_debug(base, true), 0);
	evdefer_base_set_observer(base, &onlooker, NULL);
	d = evdeferred_new_fired(base, evresult_value(NULL));
	ck_assert_uint_eq(onlooker_counts.fired, 1);
	evdeferred_free(d);
	evdefer_base_set_observer(base, NULL, NULL);
	d = evdeferred_new_fired(base, evresult_value(NULL));
	evdeferred_free(d);
	ck_assert_uint_eq(onlooker_counts.made, 1);
}
END_TEST

#ifdef EVDEFER_DEBUG
static void
call_back(const struct evdeferred *d, void *arg)
{
	(void)d;
	evdeferred_new(arg, NULL, NULL);
}

START_TEST(an_observer_that_calls_the_library_is_caught)
{
	static const struct evobserver meddler = {.made = call_back};

	evdefer_base_set_observer(base, &meddler, base);
	evdeferred_new(base, NULL, NULL);
}
END_TEST
#endif

/* From inside an observer. */
static void
call_later(const struct evdeferred *d, void *arg)
{
	(void)d;
	ck_assert_int_eq(
	    evdefer_base_call(base, (evdefer_base_call_fn)count_free, arg), 0);
}

START_TEST(an_observer_may_have_the_loop_call_it)
{
	static const struct evobserver caller = {.gone = call_later};
	int calls = 0;

	evdefer_base_set_observer(base, &caller, &calls);
	evdeferred_free(evdeferred_new_fired(base, evresult_value(NULL)));
	ck_assert_int_eq(calls, 0);
	support_free_base();
	ck_assert_int_eq(calls, 1);
}
END_TEST

/*
 * Groups.
 */

START_TEST(members_of_a_group_are_told_of)
{
	struct waiter waiters[MEMBERS];
	int i;

	make_group(_i);
	for (i = 0; i < MEMBERS; i++)
		evdefer_base_set_observer(sites[i].base, &onlooker, NULL);
	for (i = 0; i < MEMBERS; i++)
		want_at(
		    i, &waiters[i], i == 0 ? EVRWLOCK_WRITE : EVRWLOCK_READ);
	look_all();
	ck_assert_uint_eq(onlooker_counts.acquires, MEMBERS);
	ck_assert_uint_eq(onlooker_counts.deliveries, 1);
	ck_assert_uint_eq(onlooker_counts.inside, 1);
	ck_assert_int_eq(release_at(0, EVRWLOCK_WRITE), 0);
	look_all();
	ck_assert_uint_eq(onlooker_counts.deliveries, MEMBERS);
	for (i = 1; i < MEMBERS; i++)
		ck_assert_int_eq(release_at(i, EVRWLOCK_READ), 0);
	ck_assert_uint_eq(onlooker_counts.releases, MEMBERS);
	ck_assert_uint_eq(onlooker_counts.inside, 0);
	free_waiters(waiters, MEMBERS);
	free_group();
}
END_TEST

/*
 * Chance.
 */

#define LOCKS 3
#define OWNERS 3
#define REQUESTS 12

static struct evrwlock *locks[LOCKS];
static struct evowner *owners[OWNERS + 1]; /* the last one is NULL */
static struct {
	struct waiter waiter;
	int lock;
	int owner;
	bool released;
} requests[REQUESTS];

static void
begin_request(int k)
{
	requests[k].lock = (int)dice(LOCKS);
	requests[k].owner = (int)dice(OWNERS + 1);
	requests[k].released = false;
	wait_with(&requests[k].waiter,
	    evrwlock_acquire(locks[requests[k].lock], owners[requests[k].owner],
		mode_of((int)dice(2))),
	    locks[requests[k].lock]);
}

/* A hold may be gone with what its owner has given back. */
static void
release_request(int k)
{
	if (requests[k].waiter.granted == 0 || requests[k].released)
		return;
	requests[k].released = true;
	if (evrwlock_release(locks[requests[k].lock], owners[requests[k].owner],
		EVRWLOCK_WRITE) == -1)
		evrwlock_release(locks[requests[k].lock],
		    owners[requests[k].owner], EVRWLOCK_READ);
}

static void
end_request(int k)
{
	release_request(k);
	evdeferred_free(requests[k].waiter.d);
	requests[k].waiter = (struct waiter){0};
}

static void
do_something(void)
{
	const int k = (int)dice(REQUESTS), owner = (int)dice(OWNERS);

	switch (dice(8)) {
	case 0:
	case 1:
	case 2:
		if (requests[k].waiter.d == NULL)
			begin_request(k);
		break;
	case 3:
		release_request(k);
		break;
	case 4:
		end_request(k);
		break;
	case 5:
		evdeferred_cancel(requests[k].waiter.d);
		break;
	case 6:
		if (evrwlock_try(
			locks[k % LOCKS], owners[owner], EVRWLOCK_READ) == 0)
			evrwlock_release(
			    locks[k % LOCKS], owners[owner], EVRWLOCK_READ);
		break;
	default:
		turns(1);
	}
	if (dice(40) == 0) {
		evowner_free(owners[owner]);
		owners[owner] = new_owner("again");
	}
}

START_TEST(the_order_holds_whatever_is_called)
{
	int i, step;

	dice_seed((uint64_t)_i + 1);
	evdefer_base_set_observer(base, &onlooker, NULL);
	for (i = 0; i < LOCKS; i++)
		locks[i] = new_lock(i + _i);
	for (i = 0; i < OWNERS; i++)
		owners[i] = new_owner("somebody");
	for (step = 0; step < 1000; step++)
		do_something();
	for (i = 0; i < OWNERS; i++)
		evowner_free(owners[i]);
	settle();
	for (i = 0; i < REQUESTS; i++) {
		evdeferred_free(requests[i].waiter.d);
		requests[i].waiter.d = NULL;
	}
	/* Those without an owner. */
	for (i = 0; i < LOCKS; i++) {
		while (evrwlock_reader_release(locks[i]) == 0 ||
		       evrwlock_writer_release(locks[i]) == 0)
			continue;
		evrwlock_free(locks[i]);
	}
	ck_assert_uint_gt(onlooker_counts.deliveries, 10);
	ck_assert_uint_eq(onlooker_counts.waiting, 0);
	ck_assert_uint_eq(onlooker_counts.acquires,
	    onlooker_counts.deliveries + onlooker_counts.cancels);
	ck_assert_uint_eq(onlooker_counts.made, onlooker_counts.gone);
	ck_assert_uint_eq(onlooker_counts.inside, 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("observer");
	TCase *tc = add_case(suite, "locks");

	tcase_add_test(tc, bad_arguments_are_einval);
	tcase_add_loop_test(tc, what_a_reader_does_is_told, 0, 2);
	tcase_add_loop_test(tc, names_are_told, 0, 2);
	tcase_add_loop_test(
	    tc, what_an_observer_does_with_errno_does_not_matter, 0, 2);
	tcase_add_loop_test(tc, a_try_that_fails_is_cancelled, 0, 2);
	tcase_add_loop_test(tc, a_wait_that_is_given_up_is_cancelled, 0, 2);
	tcase_add_test(tc, a_grant_on_its_way_is_cancelled);
	tcase_add_loop_test(tc, a_grant_that_nobody_received_is_released, 0, 2);
	tcase_add_loop_test(tc, each_of_many_readers_is_told_of, 0, 2);
	tcase_add_loop_test(tc, a_deadlock_is_cancelled, 0, 2);
	tcase_add_loop_test(tc, an_upgrade_is_refused, 0, 2);
	tcase_add_loop_test(tc, a_lock_that_closes_cancels, 0, 2);
	tcase_add_loop_test(tc, on_a_closed_base_it_goes_on, 0, 2);
	tcase_add_loop_test(tc, a_failed_acquire_is_not_told_of, 0, 2);

	tc = add_case(suite, "others");
	tcase_add_loop_test(tc, a_semaphore_is_told_of, 0, 2);
	tcase_add_loop_test(tc, gets_of_a_queue_are_told_of, 0, 2);
	tcase_add_loop_test(tc, a_get_of_a_queue_that_closes_is_refused, 0, 2);

	tc = add_case(suite, "Deferreds");
	tcase_add_test(tc, a_deferred_is_made_fires_and_goes);
	tcase_add_test(tc, the_code_of_a_failure_is_told);
	tcase_add_loop_test(tc, what_has_no_function_is_not_told, 0, 2);
	tcase_add_loop_test(
	    tc, one_that_is_set_in_place_of_another_goes_on, 0, 2);
	tcase_add_test(tc, with_debugging_on_it_is_told_as_well);
	tcase_add_test(tc, an_observer_may_have_the_loop_call_it);
#ifdef EVDEFER_DEBUG
	tc = tcase_create("meddling");
	tcase_add_checked_fixture(tc, support_setup, NULL);
	tcase_add_test_raise_signal(
	    tc, an_observer_that_calls_the_library_is_caught, 6);
	suite_add_tcase(suite, tc);
#endif

	tc = add_group_case(suite, "groups");
	tcase_add_loop_test(tc, members_of_a_group_are_told_of, 0, 2);

	tc = add_case(suite, "chance");
	tcase_add_loop_test(tc, the_order_holds_whatever_is_called, 0, 200);
	return support_main(suite);
}
