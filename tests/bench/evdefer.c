/* SPDX-License-Identifier: MIT */
#include "evdefer_works.h"

struct event_base *loop;
struct evdefer_base *base;
size_t granted;

struct evresult
read_and_release(void *lock, void *arg)
{
	(void)arg;
	granted++;
	evrwlock_reader_release(lock);
	return evresult_value(NULL);
}

struct evresult
write_and_release(void *lock, void *arg)
{
	(void)arg;
	granted++;
	evrwlock_writer_release(lock);
	return evresult_value(NULL);
}

int
main(int argc, char **argv)
{
	static const struct bench_work works[] = {
	    {"read-fast", read_fast},
	    {"write-fast", write_fast},
	    {"read-loop", read_loop},
	    {"write-loop", write_loop},
	    {"batch", batch},
	    {"owner-read", owner_read_fast},
	    {"owner-write", owner_write_fast},
	    {"with-reader", with_reader_fast},
	    {"owner-with", owner_with_reader_fast},
	    {"waiters", waiters_loop},
	    {"waiters-fast", waiters_fast},
	    {"waiters-mixed", waiters_mixed},
	    {"waiters-owners", waiters_owners},
	    {"grant", grant_loop},
	    {"timeouts", timeouts},
	    {"cancel", cancel},
	    {"memory", memory},
	    {"gap", gap},
	    {"group-read", group_read},
	    {"two-readers", two_readers},
	    {"two-locks", two_locks},
	    {"two-mixed", two_mixed},
	    {"group-pass", group_pass},
	    {"chain", chain},
	    {"waits", waits},
	    {NULL, NULL},
	};
	int status;

	loop = event_base_new();
	base = evdefer_base_new(loop);
	bench_check(base != NULL);
	status = bench_main(argc, argv, works);
	evdefer_base_free(base);
	event_base_free(loop);
	return status;
}
