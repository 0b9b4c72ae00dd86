/* SPDX-License-Identifier: MIT */
/*
 * The format of the journal and of the snapshot.
 *
 * A file is a line that says what it is, and records.  A record is a head and
 * its payload, all numbers little-endian:
 *
 *	u32 length of the payload
 *	u32 CRC-32 of the payload
 *	u32 CRC-32 of the eight bytes before
 *	u8 type, u8 flags, u32 length of the key, the key, the value
 *
 * The length has a checksum of its own, so that it can be trusted: a record
 * that ends beyond the file was cut off by a crash, and is no damage.
 */
#ifndef KVD_RECORD_H
#define KVD_RECORD_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "bytes.h"

#define RECORD_JOURNAL_MAGIC "kvd-journal 2\n"
/* The same without the flag that says what was synced. */
#define RECORD_JOURNAL_MAGIC_1 "kvd-journal 1\n"
#define RECORD_SNAPSHOT_MAGIC "kvd-snapshot 1\n"

enum record_type {
	RECORD_SET = 1,
	RECORD_DELETE = 2,
	RECORD_END = 3, /* of a snapshot; the value is the u64 count */
};

struct record {
	enum record_type type;
	bool more;   /* the next record belongs to the same command */
	bool synced; /* all before it was on the disk when it was written */
	struct bytes key;
	struct bytes value;
};

/* What comes before the key. */
#define RECORD_HEAD 18
#define RECORD_COUNT 8

/* Bytes of the whole record. */
size_t record_size(const struct record *record);

/* Writes what comes before the key; key and value follow as they are. */
void record_encode_head(
    const struct record *record, unsigned char head[RECORD_HEAD]);

/* Writes the whole of it: record_size() bytes. */
void record_encode(const struct record *record, unsigned char *to);

/* The value of an end record. */
void record_encode_count(uint64_t count, unsigned char to[RECORD_COUNT]);
uint64_t record_decode_count(struct bytes value);

/* Reads a file from its start. */
struct record_reader {
	FILE *file;
	uint64_t offset; /* of what is read next */
	uint64_t size;
	unsigned char *payload;
	size_t capacity;
	bool tells_synced; /* it has flags that say what was synced */
};

enum record_status {
	RECORD_GOOD,
	RECORD_AT_END,	     /* there is nothing more */
	RECORD_TORN,	     /* the last one was not written to its end */
	RECORD_DAMAGED_LAST, /* it is not what was written, and the last */
	RECORD_DAMAGED,	     /* it is not what was written */
	RECORD_UNREADABLE,   /* errno says why */
	RECORD_WRONG_MAGIC,  /* it is some other file */
};

/* Reads from fd, which stays the caller's.  0, or -1 with errno. */
int record_reader_open(struct record_reader *reader, int fd);

void record_reader_close(struct record_reader *reader);

/* Reads the first line: GOOD, AT_END (empty file), TORN, WRONG_MAGIC or
 * UNREADABLE. */
enum record_status record_read_magic(
    struct record_reader *reader, const char *magic);

/* Reads a record, which is valid until the next call.  Unless it is GOOD,
 * reader->offset stays where it begins. */
enum record_status record_read(
    struct record_reader *reader, struct record *record);

/*
 * Tells, for one that record_read() called DAMAGED, what became of a journal's
 * end: TORN, DAMAGED_LAST, DAMAGED or UNREADABLE.
 *
 * What a power cut takes from the writes that were not synced yet comes back
 * as zeros, by blocks: of the end of the file, or in between, as the blocks are
 * written in any order.  So such a record is torn where zeros have taken the
 * place of a part of it, and nothing follows that was written when it had been
 * synced.
 */
enum record_status record_judge(const struct record_reader *reader);

#endif
