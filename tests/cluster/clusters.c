/* SPDX-License-Identifier: MIT */
#include "clusters.h"

#include <stdio.h>
#include <string.h>

struct fake *fake;

void
cluster_setup(void)
{
	support_setup();
	fake = fake_start();
	fake_add_loop(fake, loop);
}

void
cluster_teardown(void)
{
	fake_remove_loop(fake, loop);
	support_teardown();
}

static void
note_state(struct evcluster *cluster, enum evcluster_state state,
    const char *sentence, void *arg)
{
	struct party *party = arg;

	if (party->cluster != NULL)
		ck_assert_ptr_eq(cluster, party->cluster);
	ck_assert_int_eq(evcluster_get_state(cluster), state);
	party->told[state]++;
	party->state = state;
	snprintf(party->sentence, sizeof(party->sentence), "%s", sentence);
	if (party->in_state != NULL)
		party->in_state(party);
}

void
make_party(struct party *party, const char *name,
    const struct evcluster_options *options)
{
	struct evcluster_options own = {0};

	memset(party, 0, sizeof(*party));
	if (options != NULL)
		own = *options;
	own.state_fn = note_state;
	own.state_arg = party;
	party->cluster = evcluster_new_on_(
	    base, "127.0.0.1:2181,[::1]:2181", &own, fake_open);
	ck_assert_ptr_nonnull(party->cluster);
	if (name == NULL)
		return;
	party->lock = evrwlock_new_in_cluster(party->cluster, name, 0);
	ck_assert_ptr_nonnull(party->lock);
}

static int
wire_of(const struct party *party)
{
	int i;

	for (i = 0; i < FAKE_WIRES; i++)
		if (fake->wires[i].opened != 0 &&
		    fake->wires[i].setting.arg == party->cluster)
			return i;
	return -1;
}

void
open_party(struct party *party, const char *name)
{
	struct evdeferred *d;

	make_party(party, name, NULL);
	d = evcluster_connect(party->cluster);
	ck_assert_ptr_nonnull(d);
	fake_run(fake);
	evdeferred_free(d);
	ck_assert_int_eq(party->state, EVCLUSTER_CONNECTED);
	party->n = wire_of(party);
}

void
end_party(struct party *party)
{
	evrwlock_free(party->lock);
	evcluster_free(party->cluster);
	fake_run(fake);
	clock_advance(1000);
	fake_run(fake);
}

void
pass(long ms)
{
	while (ms > 0) {
		clock_advance(ms < SIXTH_MS ? ms : SIXTH_MS);
		fake_run(fake);
		ms -= SIXTH_MS;
	}
}

void
want_it(struct waiter *waiter, struct party *party, enum evrwlock_mode mode)
{
	wait_with(
	    waiter, evrwlock_acquire(party->lock, NULL, mode), party->lock);
	waiter->mode = mode;
	fake_turn(fake);
}

void
enter(struct waiter *waiter, struct party *party, enum evrwlock_mode mode)
{
	want_it(waiter, party, mode);
	fake_run(fake);
	check_inside(waiter);
}

int
leave_it(struct waiter *waiter, struct party *party)
{
	const int result = evrwlock_release(party->lock, NULL, waiter->mode);
	const int error = errno;

	evdeferred_free(waiter->d);
	waiter->d = NULL;
	fake_run(fake);
	errno = error;
	return result;
}

void
check_inside(const struct waiter *waiter)
{
	ck_assert_int_eq(waiter->failed, 0);
	ck_assert_int_eq(waiter->granted, 1);
}

void
check_waits(const struct waiter *waiter)
{
	ck_assert_int_eq(waiter->ended, 0);
}

void
check_refused(const struct waiter *waiter, int code, const char *words)
{
	ck_assert_int_eq(waiter->ended, 1);
	ck_assert_int_eq(waiter->failed, code);
	ck_assert_msg(
	    strstr(waiter->message, words) != NULL, "%s", waiter->message);
}

TCase *
add_cluster_case(Suite *suite, const char *name)
{
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, cluster_setup, cluster_teardown);
	suite_add_tcase(suite, tc);
	return tc;
}
