/* SPDX-License-Identifier: MIT */
/*
 * What kvd has to say to the person who runs it.
 */
#ifndef KVD_REPORT_H
#define KVD_REPORT_H

/* Writes one line "kvd: ..." to stderr.  Any thread may call it. */
void report(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
