/* SPDX-License-Identifier: MIT */
/*
 * The commands of kvd.
 */
#ifndef KVD_COMMANDS_H
#define KVD_COMMANDS_H

struct call;
struct command;

/* The command that the call asks for.  NULL after an error was replied: there is
 * none of that name, or it does not take such arguments. */
const struct command *commands_find(struct call *call);

#endif
