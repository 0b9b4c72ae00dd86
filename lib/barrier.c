/* SPDX-License-Identifier: MIT */
#include "barrier-internal.h"

#ifdef HAVE_LINUX_MEMBARRIER_H
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

static long
membarrier(int command)
{
	return syscall(SYS_membarrier, command, 0, 0);
}

bool
evbarrier_register_(void)
{
	const long commands = membarrier(MEMBARRIER_CMD_QUERY);

	/* One that does nothing else fails with ENOSYS, or under a filter. */
	return commands > 0 &&
	       (commands & MEMBARRIER_CMD_PRIVATE_EXPEDITED) != 0 &&
	       membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0 &&
	       membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) == 0;
}

void
evbarrier_in_all_threads_(void)
{
	membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
}
#else
bool
evbarrier_register_(void)
{
	return false;
}

void
evbarrier_in_all_threads_(void)
{
}
#endif
