/* SPDX-License-Identifier: MIT */
#include "groups.h"

#include <string.h>

struct site sites[MEMBERS];
struct evgroup *group;

void
make_group(int i)
{
	const unsigned flags = i % 2 == 1 ? EVRWLOCK_FAST : 0;
	int k;

	group = evgroup_new();
	ck_assert_ptr_nonnull(group);
	for (k = 0; k < MEMBERS; k++) {
		sites[k].loop = support_new_loop();
		sites[k].base = evdefer_base_new(sites[k].loop);
		ck_assert_ptr_nonnull(sites[k].base);
		sites[k].lock =
		    evrwlock_new_in_group(group, sites[k].base, flags);
		ck_assert_ptr_nonnull(sites[k].lock);
	}
}

void
free_site(struct site *site)
{
	evdefer_base_free(site->base);
	if (site->loop != NULL)
		event_base_free(site->loop);
	site->base = NULL;
	site->loop = NULL;
}

void
free_group(void)
{
	int k;

	for (k = 0; k < MEMBERS; k++) {
		evrwlock_free(sites[k].lock);
		free_site(&sites[k]);
	}
	evgroup_free(group);
	memset(sites, 0, sizeof(sites));
	group = NULL;
}

void
look(int site)
{
	event_base_loop(
	    sites[site].loop, EVLOOP_NONBLOCK | EVLOOP_NO_EXIT_ON_EMPTY);
}

void
look_all(void)
{
	int turn, k;

	/* As many as there are steps from one member to the next. */
	for (turn = 0; turn < 2 * MEMBERS; turn++) {
		for (k = 0; k < MEMBERS; k++) {
			if (sites[k].loop != NULL)
				look(k);
		}
	}
}

void
want_at(int site, struct waiter *waiter, enum evrwlock_mode mode)
{
	struct evrwlock *lock = sites[site].lock;

	wait_with(waiter, acquire_by_name(lock, mode), lock);
	waiter->mode = mode;
}

int
release_at(int site, enum evrwlock_mode mode)
{
	return release_by_name(sites[site].lock, mode);
}

struct evgroup_stats
group_stats(void)
{
	struct evgroup_stats stats;

	evgroup_get_stats(group, &stats);
	return stats;
}

TCase *
add_group_case(Suite *suite, const char *name)
{
	return add_case(suite, name);
}
