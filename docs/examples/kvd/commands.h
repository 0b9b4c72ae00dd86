/* SPDX-License-Identifier: MIT */
/*
 * The commands of kvd.
 */
#ifndef KVD_COMMANDS_H
#define KVD_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>

#include "bytes.h"

struct call;
struct command;

/* NULL if there is none of that name. */
const struct command *commands_find(struct bytes name);

/* Whether it may have so many arguments. */
bool command_takes(const struct command *command, size_t count);

#endif
