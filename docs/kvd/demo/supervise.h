/* SPDX-License-Identifier: MIT */
/*
 * Who cleans up: a process of its own, which does nothing but wait.
 */
#ifndef DEMO_SUPERVISE_H
#define DEMO_SUPERVISE_H

/* Makes a temporary directory, has a child run the demo, and removes the
 * directory when that and all it has started are gone, whatever signal ends
 * them.  The exit status of the child; a signal ends this process as well. */
int supervise(int (*run)(const char *program), const char *program);

/* The directory. */
const char *supervise_directory(void);

#endif
