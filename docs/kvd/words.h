/* SPDX-License-Identifier: MIT */
/*
 * A line of words, as people type it and redis-cli reads it: blanks between
 * them; "double quotes" with \n, \x00 and the like; 'single quotes' with \'.
 */
#ifndef KVD_WORDS_H
#define KVD_WORDS_H

#include "bytes.h"

/*
 * Takes the next word of the line and moves on behind it.  It is put together
 * within the line, where it needs no more room than it had, and ends with a
 * NUL.  1, or 0 if there is none left, or -1 if quotes are not closed or
 * something other than a blank follows them.
 */
int words_next(char **line, struct bytes *word);

#endif
