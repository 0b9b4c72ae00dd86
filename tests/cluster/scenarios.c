/* SPDX-License-Identifier: MIT */
/* Where a world begins, and what may happen there. */
#include "processes.h"

/*
 * Beginnings.
 */

static void
start_fresh(void)
{
}

static void
settle(void)
{
	fake_run(world.fake);
}

/* Somebody was inside before. */
static void
start_idle(void)
{
	int i;

	settle();
	for (i = 0; i < WORLD_PROCESSES; i++) {
		process_acquire(&world.processes[i], EVRWLOCK_WRITE);
		settle();
		process_release(&world.processes[i], EVRWLOCK_WRITE);
		settle();
	}
}

static void
start_both_read(void)
{
	settle();
	process_acquire(&world.processes[0], EVRWLOCK_READ);
	process_acquire(&world.processes[1], EVRWLOCK_READ);
	settle();
}

static void
start_one_writes_alone(void)
{
	settle();
	process_acquire(&world.processes[0], EVRWLOCK_WRITE);
	settle();
}

static void
start_one_writes(void)
{
	settle();
	process_acquire(&world.processes[0], EVRWLOCK_WRITE);
	settle();
	process_acquire(&world.processes[1], EVRWLOCK_WRITE);
	settle();
}

static void
start_one_reads_one_wants_to_write(void)
{
	settle();
	process_acquire(&world.processes[0], EVRWLOCK_READ);
	settle();
	process_acquire(&world.processes[1], EVRWLOCK_WRITE);
	settle();
}

static void
start_one_writes_one_wants_to_read(void)
{
	settle();
	process_acquire(&world.processes[0], EVRWLOCK_WRITE);
	settle();
	process_acquire(&world.processes[1], EVRWLOCK_READ);
	settle();
}

static void
start_at_the_last_number(void)
{
	start_idle();
	world.numbers_run_over = true;
	fake_set_counter(world.fake, "/evdefer/x", INT32_MAX - 1);
}

/* What is tried in full: without a fault, and with one of each kind at any step. */
#define NO_FAULT                                                               \
	{                                                                      \
		.cancels = 0                                                   \
	}
#define ONE(fault)                                                             \
	{                                                                      \
		.fault = 1                                                     \
	}
/* Until the session has ended, and in each third of that the other is answered. */
#define ONE_FOR_LONG(fault)                                                    \
	{                                                                      \
		.fault = 1, .thirds = 3                                        \
	}

#define LATE_ANSWERS                                                           \
	{                                                                      \
		.thirds = 2, .slow = true                                      \
	}

#define PAIRS(what, faults)                                                    \
	{what ": both write", start_idle, {"w", "w"}, faults},                 \
	    {what ": one writes, one reads", start_idle, {"w", "r"}, faults},  \
	    {what ": both read", start_idle, {"r", "r"}, faults},              \
	    {what ": one that has read writes", start_both_read, {"w", ""},    \
		faults},                                                       \
	{                                                                      \
		what ": one writes, one goes from writing to reading",         \
		    start_idle, {"w", "d"}, faults                             \
	}

/* From where they are inside, or wait; the first one comes again. */
#define LATER(what, faults)                                                    \
	{what ", where one writes, the other wants to", start_one_writes,      \
	    {"w", ""}, faults},                                                \
	    {what ", where one writes, the other wants to read",               \
		start_one_writes_one_wants_to_read, {"w", ""}, faults},        \
	    {what ", where one reads, the other wants to write",               \
		start_one_reads_one_wants_to_write, {"r", ""}, faults},        \
	{                                                                      \
		what ", where both read", start_both_read, {"w", ""}, faults   \
	}

const struct world_setting world_scenarios[] = {
    PAIRS("no fault", NO_FAULT),
    PAIRS("a wait is cancelled", ONE(cancels)),
    PAIRS("containers are removed", ONE(reaps)),
    PAIRS("a node is deleted", ONE(deletions)),
    PAIRS("a connection is lost", ONE(losses)),
    PAIRS("a session is ended", ONE(ends)),
    LATER("one is cut off", ONE_FOR_LONG(cuts)),
    LATER("one is stopped", ONE_FOR_LONG(stops)),
    {"a connection is lost: one writes, one goes from writing to reading, and "
     "reads again",
	start_idle, {"w", "dr"}, ONE(losses)},
    LATER("answers are late", LATE_ANSWERS),
    PAIRS("one is cut off", ONE_FOR_LONG(cuts)),
    PAIRS("one is stopped", ONE_FOR_LONG(stops)),
};
const size_t world_scenario_count =
    sizeof(world_scenarios) / sizeof(*world_scenarios);

#define ANYTHING                                                               \
	{                                                                      \
		WORLD_ANY_NUMBER, WORLD_ANY_NUMBER, WORLD_ANY_NUMBER,          \
		    WORLD_ANY_NUMBER, 0, WORLD_ANY_NUMBER, 0,                  \
		    WORLD_ANY_NUMBER, true                                     \
	}

const struct world_setting world_settings[] = {
    {"neither is connected", start_fresh, {NULL, NULL}, ANYTHING},
    {"nobody wants it", start_idle, {NULL, NULL}, ANYTHING},
    {"both read", start_both_read, {NULL, NULL}, ANYTHING},
    {"one writes", start_one_writes_alone, {NULL, NULL}, ANYTHING},
    {"one writes, the other wants to", start_one_writes, {NULL, NULL},
	ANYTHING},
    {"one reads, the other wants to write", start_one_reads_one_wants_to_write,
	{NULL, NULL}, ANYTHING},
    {"one writes, the other wants to read", start_one_writes_one_wants_to_read,
	{NULL, NULL}, ANYTHING},
    {"numbers are about to run over", start_at_the_last_number, {NULL, NULL},
	ANYTHING}};
const size_t world_setting_count =
    sizeof(world_settings) / sizeof(*world_settings);
