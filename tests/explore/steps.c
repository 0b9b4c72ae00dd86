/* SPDX-License-Identifier: MIT */
#include "steps.h"

#include <stdlib.h>

/* Which client acts for whom: 0 is nobody in particular. */
const struct setting settings[SETTINGS] = {
    {"anonymous, by the loop", 3, {0, 0, 0}, false, 0, 0, 0},
    {"anonymous, at once", 3, {0, 0, 0}, true, 0, 0, 0},
    {"three owners, by the loop", 3, {1, 2, 3}, false, 0, 0, 0},
    {"three owners, at once", 3, {1, 2, 3}, true, 0, 0, 0},
    {"two owners, by the loop", 3, {1, 1, 2}, false, 0, 0, 0},
    {"two owners, at once", 3, {1, 1, 2}, true, 0, 0, 0},
    {"two owners and nobody, by the loop", 3, {0, 1, 2}, false, 0, 0, 0},
    {"two owners and nobody, at once", 3, {0, 1, 2}, true, 0, 0, 0},
    {"mutexes, two owners, by the loop", 3, {1, 1, 2}, false, 1, 0, 0},
    {"mutexes, two owners, at once", 3, {1, 1, 2}, true, 1, 0, 0},
    {"mutexes, two owners and nobody, by the loop", 3, {0, 1, 2}, false, 1, 0,
	0},
    {"mutexes, two owners and nobody, at once", 3, {0, 1, 2}, true, 1, 0, 0},
    {"semaphores, two owners and nobody, by the loop", 3, {0, 1, 2}, false, 2,
	0, 0},
    {"semaphores, two owners and nobody, at once", 3, {0, 1, 2}, true, 2, 0, 0},
    {"upgrades, nobody, by the loop", 3, {0, 0, 0}, false, 0, 0, 1},
    {"upgrades, nobody, at once", 3, {0, 0, 0}, true, 0, 0, 1},
    {"upgrades, three owners, by the loop", 3, {1, 2, 3}, false, 0, 0, 1},
    {"upgrades, three owners, at once", 3, {1, 2, 3}, true, 0, 0, 1},
    {"upgrades, two owners, by the loop", 3, {1, 1, 2}, false, 0, 0, 1},
    {"upgrades, two owners, at once", 3, {1, 1, 2}, true, 0, 0, 1},
    {"upgrades, two owners and nobody, by the loop", 3, {0, 1, 2}, false, 0, 0,
	1},
    {"upgrades, two owners and nobody, at once", 3, {0, 1, 2}, true, 0, 0, 1},
    {"upgrades of two locks, by the loop", 3, {1, 1, 2}, false, 0, 0, 2},
    {"upgrades of two locks, at once", 3, {1, 1, 2}, true, 0, 0, 2},
    {"a group of two, by the loops", 3, {0, 0, 0}, false, 0, 2, 0},
    {"a group of two, at once", 3, {0, 0, 0}, true, 0, 2, 0},
    {"a group of three, by the loops", 3, {0, 0, 0}, false, 0, 3, 0},
    {"a group of three, at once", 3, {0, 0, 0}, true, 0, 3, 0},
    {"a group of two with owners, by the loops", 3, {1, 1, 2}, false, 0, 2, 0},
    {"a group of two with owners, at once", 3, {1, 1, 2}, true, 0, 2, 0}};

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

static int
lock_count(const struct setting *setting)
{
	if (setting->members > 0)
		return setting->members;
	return setting->upgrades > 0 ? setting->upgrades : 2;
}

int
steps_make(const struct setting *setting, struct step *steps)
{
	const bool grouped = setting->members > 0;
	struct list list = {steps, 0, lock_count(setting), setting->tokens == 0,
	    setting->upgrades > 0};
	int c, kind, lock, party, parties = 0;

	for (c = 0; c < setting->clients; c++) {
		add_with_locks(&list, ACQUIRE, c);
		if (setting->upgrades == 0)
			add_with_locks(&list, ACQUIRE_TIMED, c);
		/* Other waits end by their time as they do elsewhere. */
		for (lock = 0; lock < setting->upgrades; lock++)
			add(&list, ACQUIRE_TIMED, c, lock, UPGRADE);
		/* Deferreds pause in a group as they do elsewhere. */
		for (kind = CANCEL; kind <= (grouped ? FREE : UNPAUSE); kind++)
			add(&list, (enum kind)kind, c, 0, 0);
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
