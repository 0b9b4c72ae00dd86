/* SPDX-License-Identifier: MIT */
/* A transfer in two steps, with a turn of the event loop between them: in C++. */
#include <cstdio>

#include <event2/event.h>
#include <evdefer/evdefer.hpp>

using namespace std::chrono_literals;

static int savings = 100, checking = 0;

static void
print(const char *who)
{
	std::printf("%-16s %3d + %2d = %d\n", who, savings, checking,
	    savings + checking);
}

static evdefer::task<>
report(const evdefer::rwlock &lock, const char *who)
{
	auto grant = co_await lock.read();

	print(who);
}

static evdefer::task<>
transfer(const evdefer::base &base, const evdefer::rwlock &lock)
{
	auto grant = co_await lock.write();

	savings -= 40;
	co_await base.later(1ms); /* other clients are served here */
	print("without the lock");
	checking += 40;
} /* the lock is held until here */

int
main()
{
	event_base *loop = event_base_new();

	{
		evdefer::base base(loop);
		evdefer::rwlock lock(base);

		spawn(base, report(lock, "reader before")).detach();
		spawn(base, transfer(base, lock)).detach();
		spawn(base, report(lock, "reader after")).detach();
		event_base_dispatch(loop);
	}
	event_base_free(loop);
}
