/* SPDX-License-Identifier: MIT */
/*
 * The format of the journal and of the snapshot.
 */
#include "record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zlib.h>

/* The head has two parts: what is before the payload, and its first bytes. */
#define FRAME 12
#define PREFIX (RECORD_HEAD - FRAME)
/* The flags. */
#define MORE 1
#define SYNCED 2
/* What a disk writes whole or not at all. */
#define BLOCK 512
/* So many in a row are no chance. */
#define ZEROS 16

static void
put_u32(unsigned char *to, uint32_t number)
{
	to[0] = (unsigned char)(number & 0xff);
	to[1] = (unsigned char)(number >> 8 & 0xff);
	to[2] = (unsigned char)(number >> 16 & 0xff);
	to[3] = (unsigned char)(number >> 24);
}

static uint32_t
get_u32(const unsigned char *from)
{
	return from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 |
	       (uint32_t)from[3] << 24;
}

static uint32_t
checksum(uint32_t sum, const void *data, size_t length)
{
	/* With no data zlib would start from anew. */
	if (length == 0)
		return sum;
	return (uint32_t)crc32_z(sum, data, length);
}

/*
 * Writing.
 */

size_t
record_size(const struct record *record)
{
	return RECORD_HEAD + record->key.length + record->value.length;
}

void
record_encode_head(const struct record *record, unsigned char head[RECORD_HEAD])
{
	unsigned char *prefix = head + FRAME;
	uint32_t sum;

	prefix[0] = (unsigned char)record->type;
	prefix[1] = (unsigned char)((record->more ? MORE : 0) |
				    (record->synced ? SYNCED : 0));
	put_u32(prefix + 2, (uint32_t)record->key.length);
	sum = checksum(0, prefix, PREFIX);
	sum = checksum(sum, record->key.data, record->key.length);
	sum = checksum(sum, record->value.data, record->value.length);

	put_u32(head, (uint32_t)(record_size(record) - FRAME));
	put_u32(head + 4, sum);
	put_u32(head + 8, checksum(0, head, 8));
}

static unsigned char *
put_bytes(unsigned char *to, struct bytes bytes)
{
	if (bytes.length > 0)
		memcpy(to, bytes.data, bytes.length);
	return to + bytes.length;
}

void
record_encode(const struct record *record, unsigned char *to)
{
	record_encode_head(record, to);
	to = put_bytes(to + RECORD_HEAD, record->key);
	put_bytes(to, record->value);
}

void
record_encode_count(uint64_t count, unsigned char to[RECORD_COUNT])
{
	put_u32(to, (uint32_t)(count & UINT32_MAX));
	put_u32(to + 4, (uint32_t)(count >> 32));
}

uint64_t
record_decode_count(struct bytes value)
{
	const unsigned char *from = (const unsigned char *)value.data;

	if (value.length != RECORD_COUNT)
		return UINT64_MAX; /* no file has so many */
	return get_u32(from) | (uint64_t)get_u32(from + 4) << 32;
}

/*
 * Reading.
 */

int
record_reader_open(struct record_reader *reader, int fd)
{
	struct stat status;
	int copy;

	memset(reader, 0, sizeof(*reader));
	if (fstat(fd, &status) == -1 || lseek(fd, 0, SEEK_SET) == -1)
		return -1;
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (copy == -1)
		return -1;
	reader->size = (uint64_t)status.st_size;
	reader->file = fdopen(copy, "r");
	if (reader->file != NULL)
		return 0;
	close(copy);
	return -1;
}

void
record_reader_close(struct record_reader *reader)
{
	if (reader->file != NULL)
		fclose(reader->file);
	free(reader->payload);
}

/* Reads what the size of the file says is there. */
static int
read_bytes(struct record_reader *reader, void *to, size_t length)
{
	errno = 0;
	if (fread(to, 1, length, reader->file) == length)
		return 0;
	if (errno == 0)
		errno = EIO; /* it has become shorter under our hands */
	return -1;
}

static bool
is_zero(const void *data, size_t length)
{
	const unsigned char *bytes = data;
	size_t i;

	for (i = 0; i < length; i++)
		if (bytes[i] != 0)
			return false;
	return true;
}

/* A file system may have made the file longer before a crash without writing
 * the data: then all from there on is zeros. */
static bool
is_torn_magic(struct record_reader *reader, const char *line, size_t length,
    const char *magic)
{
	char rest[4096];
	size_t same = 0;

	while (same < length && line[same] == magic[same])
		same++;
	line += same;
	length -= same;
	do {
		if (!is_zero(line, length))
			return false;
		line = rest;
		length = fread(rest, 1, sizeof(rest), reader->file);
	} while (length > 0);
	return !ferror(reader->file);
}

enum record_status
record_read_magic(struct record_reader *reader, const char *magic)
{
	size_t length = strlen(magic);
	char line[32];

	if (reader->size == 0)
		return RECORD_AT_END;
	if (reader->size < length)
		length = (size_t)reader->size;
	if (read_bytes(reader, line, length) == -1)
		return RECORD_UNREADABLE;
	if (length == strlen(magic) && memcmp(line, magic, length) == 0) {
		reader->offset = length;
		return RECORD_GOOD;
	}
	return is_torn_magic(reader, line, length, magic) ? RECORD_TORN
							  : RECORD_WRONG_MAGIC;
}

static int
make_room(struct record_reader *reader, size_t length)
{
	unsigned char *payload;

	if (length <= reader->capacity)
		return 0;
	payload = realloc(reader->payload, length);
	if (payload == NULL)
		return -1;
	reader->payload = payload;
	reader->capacity = length;
	return 0;
}

static enum record_status
decode(struct record *record, const unsigned char *payload, const size_t length)
{
	size_t key_length;

	if (length < PREFIX)
		return RECORD_DAMAGED;
	key_length = get_u32(payload + 2);
	if (key_length > length - PREFIX || payload[0] < RECORD_SET ||
	    payload[0] > RECORD_END || payload[1] > (MORE | SYNCED))
		return RECORD_DAMAGED;
	record->type = (enum record_type)payload[0];
	record->more = (payload[1] & MORE) != 0;
	record->synced = (payload[1] & SYNCED) != 0;
	record->key.data = (const char *)payload + PREFIX;
	record->key.length = key_length;
	record->value.data = record->key.data + key_length;
	record->value.length = length - PREFIX - key_length;
	return RECORD_GOOD;
}

enum record_status
record_read(struct record_reader *reader, struct record *record)
{
	const uint64_t left = reader->size - reader->offset;
	unsigned char frame[FRAME];
	enum record_status status;
	size_t length;

	if (left == 0)
		return RECORD_AT_END;
	if (left < FRAME)
		return RECORD_TORN;
	if (read_bytes(reader, frame, FRAME) == -1)
		return RECORD_UNREADABLE;
	if (checksum(0, frame, 8) != get_u32(frame + 8))
		return RECORD_DAMAGED;
	length = get_u32(frame);
	if (length > left - FRAME)
		return RECORD_TORN;
	if (make_room(reader, length) == -1 ||
	    read_bytes(reader, reader->payload, length) == -1)
		return RECORD_UNREADABLE;
	if (checksum(0, reader->payload, length) != get_u32(frame + 4))
		return RECORD_DAMAGED;
	status = decode(record, reader->payload, length);
	if (status == RECORD_GOOD)
		reader->offset += FRAME + length;
	if (status == RECORD_GOOD && record->synced)
		reader->tells_synced = true;
	return status;
}

/*
 * Judging.
 */

/* Is there a record, all of it, as it was written? */
static bool
is_whole(const unsigned char *at, size_t left)
{
	size_t length;

	if (left < RECORD_HEAD)
		return false;
	length = get_u32(at);
	return length >= PREFIX && length <= left - FRAME &&
	       checksum(0, at, 8) == get_u32(at + 8) &&
	       checksum(0, at + FRAME, length) == get_u32(at + 4);
}

/* Whether records follow; in *after_sync, whether one of them was written when
 * the damaged one had been synced. */
static bool
find_records(const struct record_reader *reader, const unsigned char *at,
    size_t length, bool *after_sync)
{
	struct record record;
	bool found = false;
	size_t i;

	*after_sync = false;
	for (i = 1; i < length && !*after_sync; i++) {
		if (!is_whole(at + i, length - i) ||
		    decode(&record, at + i + FRAME, get_u32(at + i)) !=
			RECORD_GOOD)
			continue;
		found = true;
		*after_sync = record.synced || !reader->tells_synced;
	}
	return found;
}

/* Whether one of the blocks of the file, or what is there of it, is zeros. */
static bool
lacks_block(uint64_t offset, const unsigned char *at, size_t length)
{
	size_t size = BLOCK - (size_t)(offset % BLOCK);

	while (length > 0) {
		if (size > length)
			size = length;
		if (is_zero(at, size))
			return true;
		at += size;
		length -= size;
		size = BLOCK;
	}
	return false;
}

/* Whether the file ends in zeros, more than can be by chance, or all but a part
 * of the record's head. */
static bool
ends_in_zeros(const unsigned char *at, size_t length)
{
	if (length >= ZEROS && is_zero(at + length - ZEROS, ZEROS))
		return true;
	return length > FRAME && is_zero(at + FRAME, length - FRAME);
}

static enum record_status
judge(
    const struct record_reader *reader, const unsigned char *at, size_t length)
{
	bool after_sync;
	const bool found = find_records(reader, at, length, &after_sync);

	/* Of a kind that we do not know, perhaps, but somebody does. */
	if (after_sync || is_whole(at, length))
		return RECORD_DAMAGED;
	if (lacks_block(reader->offset, at, length) ||
	    ends_in_zeros(at, length))
		return RECORD_TORN;
	return found ? RECORD_DAMAGED : RECORD_DAMAGED_LAST;
}

enum record_status
record_judge(const struct record_reader *reader)
{
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	const uint64_t begin = reader->offset - reader->offset % page;
	const uint64_t length = reader->size - begin;
	enum record_status status;
	unsigned char *map;
	size_t before;

	if (length > SIZE_MAX) {
		errno = EFBIG;
		return RECORD_UNREADABLE;
	}
	map = mmap(NULL, (size_t)length, PROT_READ, MAP_PRIVATE,
	    fileno(reader->file), (off_t)begin);
	if (map == MAP_FAILED)
		return RECORD_UNREADABLE;
	before = (size_t)(reader->offset - begin);
	status = judge(reader, map + before, (size_t)length - before);
	munmap(map, (size_t)length);
	return status;
}
