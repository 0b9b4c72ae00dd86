/* SPDX-License-Identifier: MIT */
/*
 * The commands of kvd.
 */
#ifndef KVD_COMMANDS_H
#define KVD_COMMANDS_H

#include <stdbool.h>

struct call;
struct command;

/* The command that the call asks for.  NULL after an error was replied: there is
 * none of that name, or it does not take such arguments. */
const struct command *commands_find(struct call *call);

/* Whether there is such a command, and it is one with one_reply. */
bool commands_is_one_reply(const struct call *call);

#endif
