/* SPDX-License-Identifier: MIT */
/* What is granted to an owner, as a body holds it and as a link gets it that sees
 * values and failures. */
#include "owners.h"

#include <errno.h>

/* With. */

START_TEST(with_runs_under_the_lock_of_the_owner)
{
	struct body with = {evdeferred_new(base, NULL, NULL), NULL, 0};
	struct evdeferred *producer = with.waits_for, *d;
	struct seen seen = {0, 0, NULL, 0};
	struct waiter w, again;

	make(_i % 2);
	lock_counts(locks[0], 0, 0, 0, 0);
	d = run_with(locks[0], ann, mode_of(_i / 2), &with);
	see(d, &seen);
	request(&w, locks[0], bob, EVRWLOCK_WRITE);
	settle();
	ck_assert_int_eq(with.runs, 1);
	ck_assert_int_eq(w.ended, 0);
	lock_counts(locks[0], _i / 2 == 0, _i / 2 == 1, 0, 1);
	/* The owner is inside, but may not release what the body has. */
	REFUSED(evrwlock_release(locks[0], ann, mode_of(_i / 2)), EPERM);
	get(&again, locks[0], ann, mode_of(_i / 2));
	leave(locks[0], ann, mode_of(_i / 2));
	ck_assert_int_eq(evdeferred_callback(producer, &with), 0);
	settle();
	ck_assert_ptr_eq(seen.value, &with);
	ck_assert_int_eq(w.granted, 1);
	leave(locks[0], bob, EVRWLOCK_WRITE);
	evdeferred_free(d);
	free_waiters(&w, 1);
	free_waiters(&again, 1);
	done();
}
END_TEST

START_TEST(with_nested_writes_and_reads)
{
	struct body outer = {NULL, NULL, 0}, inner = {NULL, NULL, 0};
	struct evdeferred *d;
	struct seen seen = {0, 0, NULL, 0};

	make(_i);
	outer.waits_for = NULL;
	ck_assert_int_eq(evrwlock_try(locks[0], ann, EVRWLOCK_WRITE), 0);
	inner.waits_for = run_with(locks[0], ann, EVRWLOCK_READ, &outer);
	d = run_with(locks[0], ann, EVRWLOCK_WRITE, &inner);
	see(d, &seen);
	settle();
	ck_assert_int_eq(seen.values, 1);
	ck_assert_int_eq(outer.runs + inner.runs, 2);
	lock_counts(locks[0], 0, 1, 0, 0);
	leave(locks[0], ann, EVRWLOCK_WRITE);
	evdeferred_free(d);
	done();
}
END_TEST

/* Links of kind both. */

struct both {
	struct evresult kept;
	struct evdeferred *other;
	struct evowner **ends;
	bool take;
	bool keep;
	bool dispose;
	bool failed;
	void *value;
};

static struct evresult
handle(struct evresult result, void *arg)
{
	struct both *both = arg;

	both->failed = evresult_is_failure(result);
	if (both->take) {
		both->value = evresult_get_value(result);
		/* It may ask again. */
		ck_assert_ptr_eq(evresult_get_value(result), both->value);
	}
	if (both->ends != NULL)
		end_owner(both->ends);
	if (both->dispose) {
		evresult_dispose(result);
		return evresult_value(NULL);
	}
	if (both->other != NULL) {
		ck_assert_int_eq(evdeferred_fire(both->other, result), 0);
		return evresult_value(NULL);
	}
	if (both->keep) {
		both->kept = result;
		return evresult_value(NULL);
	}
	return result;
}

/* Gets ann the lock through a link of kind both, which does as it is told. */
static struct evdeferred *
through(struct both *both, enum evrwlock_mode mode)
{
	struct evdeferred *d = evrwlock_acquire(locks[0], ann, mode);

	ck_assert_int_eq(evdeferred_add_both(d, handle, both), 0);
	settle();
	ck_assert(!both->failed);
	return d;
}

START_TEST(both_passes_the_grant_on)
{
	struct both both = {.take = _i / 2 == 1};
	struct evdeferred *d;
	struct seen seen = {0, 0, NULL, 0};

	make(_i);
	d = through(&both, EVRWLOCK_WRITE);
	if (both.take)
		ck_assert_ptr_eq(both.value, locks[0]);
	REFUSED(evrwlock_release(locks[0], ann, EVRWLOCK_WRITE), EPERM);
	see(d, &seen);
	ck_assert_ptr_eq(seen.value, locks[0]);
	leave(locks[0], ann, EVRWLOCK_WRITE);
	evdeferred_free(d);
	done();
}
END_TEST

START_TEST(both_passes_the_grant_on_to_nobody)
{
	struct both both = {.take = _i / 2 == 1};
	struct evdeferred *d;

	make(_i);
	d = through(&both, EVRWLOCK_WRITE);
	lock_counts(locks[0], 0, 1, 0, 0);
	evdeferred_free(d);
	lock_counts(locks[0], 0, 0, 0, 0);
	done();
}
END_TEST

START_TEST(both_fires_another_with_the_grant)
{
	struct both both = {.take = _i / 2 == 1};
	struct evdeferred *d;
	struct seen seen = {0, 0, NULL, 0};

	make(_i);
	both.other = evdeferred_new(base, NULL, NULL);
	d = through(&both, EVRWLOCK_WRITE);
	REFUSED(evrwlock_release(locks[0], ann, EVRWLOCK_WRITE), EPERM);
	see(both.other, &seen);
	ck_assert_ptr_eq(seen.value, locks[0]);
	leave(locks[0], ann, EVRWLOCK_WRITE);
	evdeferred_free(both.other);
	evdeferred_free(d);
	done();
}
END_TEST

START_TEST(both_takes_the_value)
{
	struct both both = {.take = true, .keep = true};
	struct evdeferred *d;

	make(_i);
	d = through(&both, mode_of(_i / 2));
	ck_assert_ptr_eq(both.value, locks[0]);
	evdeferred_free(d);
	settle();
	leave(locks[0], ann, mode_of(_i / 2));
	REFUSED(evrwlock_release(locks[0], ann, mode_of(_i / 2)), EPERM);
	done();
}
END_TEST

static struct evresult
release_at_once(struct evresult result, void *mode)
{
	const enum evrwlock_mode how = mode_of(mode != NULL);

	ck_assert_ptr_eq(evresult_get_value(result), locks[0]);
	leave(locks[0], ann, how);
	REFUSED(evrwlock_release(locks[0], ann, how), EPERM);
	return evresult_value(NULL);
}

START_TEST(both_takes_the_value_and_releases)
{
	struct evdeferred *d;

	make(_i);
	d = evrwlock_acquire(locks[0], ann, mode_of(_i / 2));
	ck_assert_int_eq(
	    evdeferred_add_both(d, release_at_once, _i / 2 ? d : NULL), 0);
	settle();
	lock_counts(locks[0], 0, 0, 0, 0);
	evdeferred_free(d);
	done();
}
END_TEST

/* It has got a result, and may not know yet what is in it. */
static struct evresult
release_unseen(struct evresult result, void *mode)
{
	REFUSED(evrwlock_release(locks[0], ann, mode_of(mode != NULL)), EPERM);
	return result;
}

START_TEST(both_releases_nothing_whose_value_it_has_not_taken)
{
	struct seen seen = {0};
	struct evdeferred *d;

	make(_i);
	d = evrwlock_acquire(locks[0], ann, mode_of(_i / 2));
	ck_assert_int_eq(
	    evdeferred_add_both(d, release_unseen, _i / 2 ? d : NULL), 0);
	settle();
	see(d, &seen);
	ck_assert_ptr_eq(seen.value, locks[0]);
	leave(locks[0], ann, mode_of(_i / 2));
	evdeferred_free(d);
	done();
}
END_TEST

static struct evresult
end_and_take(struct evresult result, void *arg)
{
	(void)arg;
	end_owner(&ann);
	ck_assert(!evresult_is_failure(result));
	ck_assert_ptr_null(evresult_get_value(result));
	return evresult_value(NULL);
}

START_TEST(both_takes_no_value_of_an_owner_that_it_has_freed)
{
	struct evdeferred *d;

	make(_i);
	d = evrwlock_acquire(locks[0], ann, mode_of(_i / 2));
	ck_assert_int_eq(evdeferred_add_both(d, end_and_take, NULL), 0);
	settle();
	ck_assert_ptr_null(ann);
	lock_counts(locks[0], 0, 0, 0, 0);
	evdeferred_free(d);
	done();
}
END_TEST

START_TEST(both_disposes_of_the_grant)
{
	struct both both = {.dispose = true};
	struct evdeferred *d;

	make(_i);
	d = through(&both, mode_of(_i / 2));
	lock_counts(locks[0], 0, 0, 0, 0);
	REFUSED(evrwlock_release(locks[0], ann, mode_of(_i / 2)), EPERM);
	evdeferred_free(d);
	done();
}
END_TEST

/* What becomes of a result that the link kept: _i / 2. */
START_TEST(both_keeps_the_grant_for_later)
{
	struct both both = {.keep = true};
	struct evdeferred *d, *other = evdeferred_new(base, NULL, NULL);
	struct seen seen = {0, 0, NULL, 0};

	make(_i);
	d = through(&both, EVRWLOCK_WRITE);
	evdeferred_free(d);
	lock_counts(locks[0], 0, 1, 0, 0);
	see(other, &seen);
	switch (_i / 2) {
	case 0:
		evresult_dispose(both.kept);
		break;
	case 1:
		ck_assert_int_eq(evdeferred_fire(other, both.kept), 0);
		ck_assert_ptr_eq(seen.value, locks[0]);
		leave(locks[0], ann, EVRWLOCK_WRITE);
		break;
	case 2:
		ck_assert_ptr_eq(evresult_get_value(both.kept), locks[0]);
		leave(locks[0], ann, EVRWLOCK_WRITE);
		break;
	case 3:
		/* The lock was known to it already. */
		leave(locks[0], ann, EVRWLOCK_WRITE);
		break;
	case 4:
		end_owner(&ann);
		ck_assert_ptr_null(evresult_get_value(both.kept));
		break;
	default:
		end_owner(&ann);
		ck_assert_int_eq(evdeferred_fire(other, both.kept), 0);
		ck_assert_int_eq(seen.code, ECANCELED);
	}
	lock_counts(locks[0], 0, 0, 0, 0);
	if (ann != NULL)
		REFUSED(evrwlock_release(locks[0], ann, EVRWLOCK_WRITE), EPERM);
	evdeferred_callback(other, NULL);
	evdeferred_free(other);
	done();
}
END_TEST

START_TEST(both_frees_the_owner)
{
	struct both both = {.ends = &ann};
	struct evdeferred *d;
	struct seen seen = {0, 0, NULL, 0};

	make(_i);
	both.take = _i / 2 == 1;
	both.keep = _i / 2 == 2;
	both.dispose = _i / 2 == 3;
	d = through(&both, EVRWLOCK_WRITE);
	lock_counts(locks[0], 0, 0, 0, 0);
	see(d, &seen);
	if (_i / 2 < 2)
		ck_assert_int_eq(seen.code, ECANCELED);
	if (both.keep)
		evresult_dispose(both.kept);
	evdeferred_free(d);
	done();
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("owner_grant");
	TCase *tc = add_case(suite, "with");

	tcase_add_loop_test(tc, with_runs_under_the_lock_of_the_owner, 0, 4);
	tcase_add_loop_test(tc, with_nested_writes_and_reads, 0, 2);

	tc = add_case(suite, "both");
	tcase_add_loop_test(tc, both_passes_the_grant_on, 0, 4);
	tcase_add_loop_test(tc, both_passes_the_grant_on_to_nobody, 0, 4);
	tcase_add_loop_test(tc, both_fires_another_with_the_grant, 0, 4);
	tcase_add_loop_test(tc, both_takes_the_value, 0, 4);
	tcase_add_loop_test(tc, both_takes_the_value_and_releases, 0, 4);
	tcase_add_loop_test(
	    tc, both_releases_nothing_whose_value_it_has_not_taken, 0, 4);
	tcase_add_loop_test(
	    tc, both_takes_no_value_of_an_owner_that_it_has_freed, 0, 4);
	tcase_add_loop_test(tc, both_disposes_of_the_grant, 0, 4);
	tcase_add_loop_test(tc, both_keeps_the_grant_for_later, 0, 12);
	tcase_add_loop_test(tc, both_frees_the_owner, 0, 8);
	return support_main(suite);
}
