/* SPDX-License-Identifier: MIT */
/*
 * The commands of kvd.
 */
#ifndef KVD_COMMANDS_H
#define KVD_COMMANDS_H

struct call;
struct command;

/* The command of the name that the call begins with, or NULL. */
const struct command *commands_find(const struct call *call);

/* That command, or NULL after an error was replied: there is none, or it does not take
 * such arguments. */
const struct command *commands_check(
    struct call *call, const struct command *command);

#endif
