/* SPDX-License-Identifier: MIT */
#include "steps.h"

#include <stdlib.h>

/* Which client acts for whom: 0 is nobody in particular. */
const struct setting settings[SETTINGS] = {
    {"anonymous, by the loop", 3, .parties = {0, 0, 0}},
    {"anonymous, at once", 3, .parties = {0, 0, 0}, .fast = true},
    {"three owners, by the loop", 3, .parties = {1, 2, 3}},
    {"three owners, at once", 3, .parties = {1, 2, 3}, .fast = true},
    {"two owners, by the loop", 3, .parties = {1, 1, 2}},
    {"two owners, at once", 3, .parties = {1, 1, 2}, .fast = true},
    {"two owners and nobody, by the loop", 3, .parties = {0, 1, 2}},
    {"two owners and nobody, at once", 3, .parties = {0, 1, 2}, .fast = true},
    {"mutexes, two owners, by the loop", 3, .parties = {1, 1, 2}, .tokens = 1},
    {"mutexes, two owners, at once", 3, .parties = {1, 1, 2}, .fast = true,
	.tokens = 1},
    {"mutexes, two owners and nobody, by the loop", 3, .parties = {0, 1, 2},
	.tokens = 1},
    {"mutexes, two owners and nobody, at once", 3, .parties = {0, 1, 2},
	.fast = true, .tokens = 1},
    {"semaphores, two owners and nobody, by the loop", 3, .parties = {0, 1, 2},
	.tokens = 2},
    {"semaphores, two owners and nobody, at once", 3, .parties = {0, 1, 2},
	.fast = true, .tokens = 2},
    {"upgrades, nobody, by the loop", 3, .parties = {0, 0, 0}, .upgrades = 1},
    {"upgrades, nobody, at once", 3, .parties = {0, 0, 0}, .fast = true,
	.upgrades = 1},
    {"upgrades, three owners, by the loop", 3, .parties = {1, 2, 3},
	.upgrades = 1},
    {"upgrades, three owners, at once", 3, .parties = {1, 2, 3}, .fast = true,
	.upgrades = 1},
    {"upgrades, two owners, by the loop", 3, .parties = {1, 1, 2},
	.upgrades = 1},
    {"upgrades, two owners, at once", 3, .parties = {1, 1, 2}, .fast = true,
	.upgrades = 1},
    {"upgrades, two owners and nobody, by the loop", 3, .parties = {0, 1, 2},
	.upgrades = 1},
    {"upgrades, two owners and nobody, at once", 3, .parties = {0, 1, 2},
	.fast = true, .upgrades = 1},
    {"upgrades of two locks, by the loop", 3, .parties = {1, 1, 2},
	.upgrades = 2},
    {"upgrades of two locks, at once", 3, .parties = {1, 1, 2}, .fast = true,
	.upgrades = 2},
    {"a group of two, by the loops", 3, .parties = {0, 0, 0}, .members = 2},
    {"a group of two, at once", 3, .parties = {0, 0, 0}, .fast = true,
	.members = 2},
    {"a group of three, by the loops", 3, .parties = {0, 0, 0}, .members = 3},
    {"a group of three, at once", 3, .parties = {0, 0, 0}, .fast = true,
	.members = 3},
    {"a group of two with owners, by the loops", 3, .parties = {1, 1, 2},
	.members = 2},
    {"a group of two with owners, at once", 3, .parties = {1, 1, 2},
	.fast = true, .members = 2},
    {"fair, three owners, by the loop", 3, .parties = {1, 2, 3}, .fair = true},
    {"fair, three owners, at once", 3, .parties = {1, 2, 3}, .fast = true,
	.fair = true},
    {"fair, two owners, by the loop", 3, .parties = {1, 1, 2}, .fair = true},
    {"fair, two owners, at once", 3, .parties = {1, 1, 2}, .fast = true,
	.fair = true},
    {"fair, two owners and nobody, by the loop", 3, .parties = {0, 1, 2},
	.fair = true},
    {"fair, two owners and nobody, at once", 3, .parties = {0, 1, 2},
	.fast = true, .fair = true},
    {"fair upgrades, nobody, by the loop", 3, .parties = {0, 0, 0},
	.fair = true, .upgrades = 1},
    {"fair upgrades, nobody, at once", 3, .parties = {0, 0, 0}, .fast = true,
	.fair = true, .upgrades = 1},
    {"fair upgrades, three owners, by the loop", 3, .parties = {1, 2, 3},
	.fair = true, .upgrades = 1},
    {"fair upgrades, three owners, at once", 3, .parties = {1, 2, 3},
	.fast = true, .fair = true, .upgrades = 1},
    {"fair upgrades, two owners and nobody, by the loop", 3,
	.parties = {0, 1, 2}, .fair = true, .upgrades = 1},
    {"fair upgrades, two owners and nobody, at once", 3, .parties = {0, 1, 2},
	.fast = true, .fair = true, .upgrades = 1},
    {"limits, three owners, by the loop", 3, .parties = {1, 2, 3}, .limit = 1,
	.adjusted = true},
    {"limits, three owners, at once", 3, .parties = {1, 2, 3}, .fast = true,
	.limit = 1, .adjusted = true},
    {"limits, two owners and nobody, by the loop", 3, .parties = {0, 1, 2},
	.limit = 2, .adjusted = true},
    {"limits, two owners and nobody, at once", 3, .parties = {0, 1, 2},
	.fast = true, .limit = 2, .adjusted = true},
    {"limits and upgrades, nobody, by the loop", 3, .parties = {0, 0, 0},
	.limit = 1, .adjusted = true, .upgrades = 1},
    {"limits and upgrades, nobody, at once", 3, .parties = {0, 0, 0},
	.fast = true, .limit = 1, .adjusted = true, .upgrades = 1},
    {"limits and upgrades, two owners, by the loop", 3, .parties = {1, 1, 2},
	.limit = 1, .adjusted = true, .upgrades = 1},
    {"limits and upgrades, two owners, at once", 3, .parties = {1, 1, 2},
	.fast = true, .limit = 1, .adjusted = true, .upgrades = 1},
    {"limits and upgrades, two owners and nobody, by the loop", 3,
	.parties = {0, 1, 2}, .limit = 2, .adjusted = true, .upgrades = 1},
    {"limits and upgrades, two owners and nobody, at once", 3,
	.parties = {0, 1, 2}, .fast = true, .limit = 2, .adjusted = true,
	.upgrades = 1},
    {"fair limits, two owners and nobody, by the loop", 3, .parties = {0, 1, 2},
	.fair = true, .limit = 1},
    {"fair limits, two owners and nobody, at once", 3, .parties = {0, 1, 2},
	.fast = true, .fair = true, .limit = 1},
    {"fair limits and upgrades, nobody, by the loop", 3, .parties = {0, 0, 0},
	.fair = true, .limit = 2, .adjusted = true, .upgrades = 1},
    {"fair limits and upgrades, nobody, at once", 3, .parties = {0, 0, 0},
	.fast = true, .fair = true, .limit = 2, .adjusted = true,
	.upgrades = 1},
    {"fair limits and upgrades, three owners, by the loop", 3,
	.parties = {1, 2, 3}, .fair = true, .limit = 1, .upgrades = 1},
    {"fair limits and upgrades, three owners, at once", 3, .parties = {1, 2, 3},
	.fast = true, .fair = true, .limit = 1, .upgrades = 1}};

struct list {
	struct step *steps;
	int count;
	int locks;
	bool reads; /* may the locks be read? */
	bool upgrades;
};

static void
add(struct list *list, enum kind kind, int who, int lock, int mode)
{
	if (list->count == STEPS)
		abort();
	list->steps[list->count++] = (struct step){
	    (uint8_t)kind, (uint8_t)who, (uint8_t)lock, (uint8_t)mode};
}

static void
add_with_locks(struct list *list, enum kind kind, int who)
{
	int lock;

	for (lock = 0; lock < list->locks; lock++) {
		if (list->reads)
			add(list, kind, who, lock, READ);
		if (list->upgrades)
			add(list, kind, who, lock, UPGRADABLE);
		add(list, kind, who, lock, WRITE);
		if (list->upgrades && kind != RELEASE)
			add(list, kind, who, lock, UPGRADE);
	}
}

static void
add_downgrades(struct list *list, int party)
{
	int lock;

	for (lock = 0; list->upgrades && lock < list->locks; lock++) {
		add(list, STEP_DOWN, party, lock, UPGRADABLE);
		add(list, STEP_DOWN, party, lock, WRITE);
		add(list, READ_ON, party, lock, WRITE);
	}
}

/* Only other ones than it has change anything, says model_allows(). */
static void
add_limits(struct list *list)
{
	int limit, lock;

	for (lock = 0; lock < list->locks; lock++)
		for (limit = 0; limit <= MOST_LIMIT; limit++)
			add(list, SET_LIMIT, 0, lock, limit);
}

static int
lock_count(const struct setting *setting)
{
	if (setting->members > 0)
		return setting->members;
	return setting->upgrades > 0 ? setting->upgrades : 2;
}

bool
setting_has_policy(const struct setting *setting)
{
	return setting->fair || setting->limit > 0;
}

/* Other waits end by their time, and other Deferreds pause, as they do elsewhere. */
static void
add_client(struct list *list, const struct setting *setting, int c)
{
	const bool policy = setting_has_policy(setting);
	const bool pauses = !policy && setting->members == 0;
	int kind, lock;

	add_with_locks(list, ACQUIRE, c);
	if (!policy && setting->upgrades == 0)
		add_with_locks(list, ACQUIRE_TIMED, c);
	for (lock = 0; !policy && lock < setting->upgrades; lock++)
		add(list, ACQUIRE_TIMED, c, lock, UPGRADE);
	for (kind = CANCEL; kind <= (pauses ? UNPAUSE : FREE); kind++)
		add(list, (enum kind)kind, c, 0, 0);
}

int
steps_make(const struct setting *setting, struct step *steps)
{
	const bool grouped = setting->members > 0;
	struct list list = {steps, 0, lock_count(setting), setting->tokens == 0,
	    setting->upgrades > 0};
	int c, lock, party, parties = 0;

	for (c = 0; c < setting->clients; c++) {
		add_client(&list, setting, c);
		if (setting->parties[c] > parties)
			parties = setting->parties[c];
	}
	for (party = 0; party <= parties; party++) {
		add_with_locks(&list, TRY, party);
		add_with_locks(&list, RELEASE, party);
		add_downgrades(&list, party);
		if (party > 0)
			add(&list, END_OWNER, party, 0, 0);
	}
	for (lock = 0; lock < list.locks; lock++)
		add(&list, CLOSE, 0, lock, 0);
	if (setting->adjusted)
		add_limits(&list);
	for (lock = 0; grouped && lock < list.locks; lock++)
		add(&list, JOIN, 0, lock, 0);
	for (lock = 0; lock < (grouped ? list.locks : 1); lock++) {
		add(&list, TURN, 0, lock, 0);
		add(&list, END_BASE, 0, lock, 0);
	}
	add(&list, PASS_TIME, 0, 0, 0);
	add(&list, RETURN, 0, 0, 0);
	return list.count;
}
