/* SPDX-License-Identifier: MIT */
#include "rights.h"

#include <stdlib.h>

struct rights *rights;
int rights_left;

static struct rights *
rights_of(struct evsource *source)
{
	return EVLIST_ELEMENT(source, struct rights, source);
}

static enum evright
wanted(const struct evneed *need)
{
	if (need->writing)
		return EVRIGHT_WRITE;
	if (need->right == EVRIGHT_NONE && need->reading > 0)
		return EVRIGHT_READ;
	return need->right;
}

static enum evright
ask(struct evsource *source, const struct evneed *need)
{
	struct rights *of = rights_of(source);
	enum evright right = wanted(need);

	of->asked++;
	of->need = *need;
	if (right > of->most)
		right = of->most;
	if (right == EVRIGHT_WRITE && of->right < EVRIGHT_WRITE)
		of->token++;
	of->right = right;
	source->upgradable = true;
	evsource_await_(source, right < need->right);
	return right;
}

static void
leave_rights(struct evsource *source)
{
	rights_left++;
	free(rights_of(source));
}

static enum evright
get_right(struct evsource *source)
{
	return rights_of(source)->right;
}

static uint64_t
get_token(struct evsource *source)
{
	const struct rights *of = rights_of(source);

	return of->right == EVRIGHT_WRITE ? of->token : 0;
}

static int
check(struct evsource *source)
{
	struct rights *of = rights_of(source);

	of->checked++;
	if (!of->stale)
		return 0;
	of->right = EVRIGHT_NONE;
	if (of->tells)
		evsource_lose_(source);
	return ESTALE;
}

static const struct evsource_type may_be_lost = {
    .ask = ask,
    .leave = leave_rights,
    .get_right = get_right,
    .reach = "tests",
    .get_token = get_token,
    .check = check,
};

static const struct evsource_type never_lost = {
    .ask = ask,
    .leave = leave_rights,
    .get_right = get_right,
    .reach = "tests",
};

static const struct evsource_type without_upgradables = {
    .ask = ask,
    .leave = leave_rights,
    .get_right = get_right,
    .reach = "tests",
    .check = check,
    .no_upgradable = true,
};

static bool
make_with(struct evdefer_base *of, bool fast, const struct evsource_type *type)
{
	rights_left = 0;
	rights = calloc(1, sizeof(*rights));
	lock =
	    rights != NULL ? evrwlock_new(of, fast ? EVRWLOCK_FAST : 0) : NULL;
	if (lock == NULL) {
		free(rights);
		return false;
	}
	rights->source.type = type;
	rights->source.ask_first = &rights->asks;
	rights->source.fenced = true;
	rights->most = EVRIGHT_WRITE;
	rights->asks = 1;
	if (evrwlock_set_source_(lock, &rights->source) == 0)
		return true;
	free(rights);
	evrwlock_free(lock);
	return false;
}

bool
make_lock_of(struct evdefer_base *of, bool fast)
{
	return make_with(of, fast, &may_be_lost);
}

void
make_lock_with_rights(int i)
{
	ck_assert(make_with(base, i % 2 == 1, &may_be_lost));
}

void
make_lock_without_losses(void)
{
	ck_assert(make_with(base, false, &never_lost));
}

void
make_lock_without_upgradables(void)
{
	ck_assert(make_with(base, false, &without_upgradables));
}

void
allow(enum evright most)
{
	rights->most = most;
	evwaitqueue_changed_(rights->source.queue);
}

void
lose(void)
{
	rights->right = EVRIGHT_NONE;
	evsource_lose_(&rights->source);
}

static void
check_loss(bool lost, uint64_t losses)
{
	struct evrwlock_stats stats;

	evrwlock_get_stats(lock, &stats);
	ck_assert(stats.lost == lost);
	ck_assert_uint_eq(stats.losses, losses);
}

void
check_lost(uint64_t losses)
{
	check_loss(true, losses);
	REFUSED(evrwlock_check(lock), ESTALE);
	ck_assert_uint_eq(evrwlock_get_token(lock), 0);
}

void
check_not_lost(uint64_t losses)
{
	check_loss(false, losses);
	ck_assert_int_eq(evrwlock_check(lock), 0);
}

void
watch(struct seen *seen, struct evdeferred **d)
{
	*seen = (struct seen){0};
	*d = evrwlock_lost(lock);
	ck_assert_ptr_nonnull(*d);
	see(*d, seen);
}

void
enter(struct waiter *waiter, enum evrwlock_mode mode)
{
	want(waiter, mode);
	settle();
	ck_assert_int_eq(waiter->granted, 1);
}

void
want_for(struct waiter *waiter, struct evowner *owner, enum evrwlock_mode mode)
{
	wait_with(waiter, evrwlock_acquire(lock, owner, mode), lock);
	waiter->mode = mode;
}

void
enter_for(struct waiter *waiter, struct evowner *owner, enum evrwlock_mode mode)
{
	want_for(waiter, owner, mode);
	settle();
	ck_assert_int_eq(waiter->granted, 1);
}

void
check_failed(const struct waiter *waiter, int code)
{
	ck_assert_int_eq(waiter->failed, code);
	ck_assert_int_eq(waiter->granted, 0);
	ck_assert_int_eq(waiter->ended, 1);
}
