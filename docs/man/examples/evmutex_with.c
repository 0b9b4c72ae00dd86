/* SPDX-License-Identifier: MIT */
/*
 * Records are appended to a file one at a time, in the order in which they came:
 */
#include <evdefer.h>

struct record;
struct evdeferred *record_write(struct record *record);

static struct evresult
write_alone(void *arg)
{
	return evresult_deferred(record_write(arg));
}

struct evdeferred *
record_append(struct evmutex *file, struct record *record)
{
	return evmutex_with(file, NULL, NULL, write_alone, record);
}
