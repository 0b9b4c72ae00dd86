/* SPDX-License-Identifier: MIT */
#include "wheel-internal.h"

/* How many things may sink in one step.  It takes about as long as a few short
 * deliveries. */
#define LONGEST_SINK 64

static unsigned
lowest_bit(uint64_t bits)
{
	return (unsigned)__builtin_ctzll(bits);
}

static unsigned
highest_bit(uint64_t bits)
{
	return 63 - (unsigned)__builtin_clzll(bits);
}

void
evwheel_init_(struct evwheel *wheel)
{
	evlist_init_(&wheel->due);
	evlist_init_(&wheel->sinking);
}

/*
 * The slots.
 */

static uint64_t
start_of_slot(uint64_t tick, unsigned level)
{
	const unsigned shift = level * EVWHEEL_BITS;

	return tick >> shift << shift;
}

static void
note_filled(struct evwheel *wheel, unsigned level, uint64_t bit)
{
	wheel->filled[level] |= bit;
	wheel->levels |= 1U << level;
}

/* Puts it where it belongs, seen from the position.  Whether nothing was there. */
static bool
put_into_slot(struct evwheel *wheel, struct evwheel_node *node)
{
	const unsigned level =
	    highest_bit((node->tick ^ wheel->position) | 1) / EVWHEEL_BITS;
	const unsigned slot =
	    (node->tick >> level * EVWHEEL_BITS) & (EVWHEEL_SLOTS - 1);
	struct evlist *list = &wheel->slots[level][slot];
	const uint64_t bit = UINT64_C(1) << slot;
	const bool empty = (wheel->filled[level] & bit) == 0;

	if (empty) {
		evlist_init_(list);
		note_filled(wheel, level, bit);
	}
	evlist_append_(list, &node->node);
	return empty;
}

static void
note_empty(struct evwheel *wheel, unsigned level, unsigned slot)
{
	wheel->filled[level] &= ~(UINT64_C(1) << slot);
	if (wheel->filled[level] == 0)
		wheel->levels &= ~(1U << level);
}

/* When the first slot starts that is not empty.  All of a lower level is before all of
 * a higher one. */
static uint64_t
start_of_first(const struct evwheel *wheel)
{
	unsigned level;
	uint64_t slot;

	if (wheel->levels == 0)
		return EVWHEEL_NEVER;
	level = lowest_bit(wheel->levels);
	slot = lowest_bit(wheel->filled[level]);
	return start_of_slot(wheel->position, level + 1) |
	       slot << level * EVWHEEL_BITS;
}

/* Moves the position to the first slot, and what is in it to where its turn comes.
 * False if that slot starts after the tick: then the position is the tick. */
static bool
open_first(struct evwheel *wheel, uint64_t tick)
{
	const uint64_t start = start_of_first(wheel);
	unsigned level, slot;

	if (start > tick) {
		evwheel_skip_(wheel, tick);
		return false;
	}
	level = lowest_bit(wheel->levels);
	slot = lowest_bit(wheel->filled[level]);
	wheel->position = start;
	wheel->sinking_level = level;
	evlist_join_(level == 0 ? &wheel->due : &wheel->sinking,
	    &wheel->slots[level][slot]);
	note_empty(wheel, level, slot);
	return true;
}

/*
 * The wheel.
 */

/* Its place is among those that sink: it would come before them in a slot of its
 * own. */
static bool
is_among_sinking(const struct evwheel *wheel, uint64_t tick)
{
	return !evlist_empty_(&wheel->sinking) &&
	       start_of_slot(tick, wheel->sinking_level) == wheel->position;
}

bool
evwheel_add_(struct evwheel *wheel, struct evwheel_node *node, uint64_t tick)
{
	node->tick = tick > wheel->position ? tick : wheel->position;
	if (!is_among_sinking(wheel, node->tick))
		return put_into_slot(wheel, node);
	evlist_append_(&wheel->sinking, &node->node);
	return false;
}

bool
evwheel_remove_(struct evwheel *wheel, struct evwheel_node *node)
{
	/* The head of its list, if it is alone there. */
	const uintptr_t list = (uintptr_t)node->node.next;
	const uintptr_t index =
	    (list - (uintptr_t)wheel->slots) / sizeof(struct evlist);
	const bool alone = node->node.next == node->node.prev;

	evlist_remove_(&node->node);
	if (alone && index < EVWHEEL_LEVELS * EVWHEEL_SLOTS)
		note_empty(wheel, (unsigned)index / EVWHEEL_SLOTS,
		    (unsigned)index % EVWHEEL_SLOTS);
	return alone;
}

uint64_t
evwheel_next_(const struct evwheel *wheel)
{
	if (!evlist_empty_(&wheel->due) || !evlist_empty_(&wheel->sinking))
		return wheel->position;
	return start_of_first(wheel);
}

bool
evwheel_step_(struct evwheel *wheel, uint64_t tick)
{
	struct evlist *sinking = &wheel->sinking;
	unsigned left = LONGEST_SINK;

	while (evlist_empty_(&wheel->due)) {
		if (evlist_empty_(sinking) && !open_first(wheel, tick))
			return true;
		for (; !evlist_empty_(sinking); left--) {
			if (left == 0)
				return false;
			put_into_slot(
			    wheel, EVLIST_ELEMENT(evlist_pop_(sinking),
				       struct evwheel_node, node));
		}
	}
	return true;
}

struct evwheel_node *
evwheel_take_(struct evwheel *wheel)
{
	if (evlist_empty_(&wheel->due))
		return NULL;
	return EVLIST_ELEMENT(
	    evlist_pop_(&wheel->due), struct evwheel_node, node);
}
