/* SPDX-License-Identifier: MIT */
/*
 * Some bytes that belong to somebody else: a key, a value, an argument.
 */
#ifndef KVD_BYTES_H
#define KVD_BYTES_H

#include <stddef.h>

struct bytes {
	const char *data;
	size_t length;
};

#endif
