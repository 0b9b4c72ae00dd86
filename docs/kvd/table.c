/* SPDX-License-Identifier: MIT */
/*
 * uthash, with a hash that clients can't know.
 */
#include "table.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include <sodium/crypto_shorthash.h>

static unsigned char secret[crypto_shorthash_KEYBYTES];

int
table_init(void)
{
	ssize_t got;

	/* So few bytes come all at once.  Only on a machine that has just booted
	 * is there a wait. */
	do
		got = getrandom(secret, sizeof(secret), 0);
	while (got == -1 && errno == EINTR);
	return got == (ssize_t)sizeof(secret) ? 0 : -1;
}

unsigned
table_hash(const void *key, size_t length)
{
	unsigned char out[crypto_shorthash_BYTES];
	unsigned hash;

	crypto_shorthash(out, key, length, secret);
	memcpy(&hash, out, sizeof(hash));
	return hash;
}
