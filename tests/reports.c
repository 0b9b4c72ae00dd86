/* SPDX-License-Identifier: MIT */
#include "reports.h"

#include <ctype.h>
#include <string.h>

struct reader reader;

static int
take_piece(const char *text, size_t length, void *arg)
{
	struct reader *who = arg;
	const size_t used =
	    who->length < sizeof(who->text) ? who->length : sizeof(who->text);
	size_t room = sizeof(who->text) - used;

	if (room > length)
		room = length;
	memcpy(who->text + used, text, room);
	who->length += length;
	who->last = length;
	who->pieces++;
	return who->meanwhile != NULL ? who->meanwhile() : 0;
}

void
start_report(enum evdefer_report_format format)
{
	int (*meanwhile)(void) = reader.meanwhile;

	memset(&reader, 0, sizeof(reader));
	reader.meanwhile = meanwhile;
	reader.d = evdefer_base_report(base, format, take_piece, &reader);
	ck_assert_ptr_nonnull(reader.d);
	ck_assert_uint_eq(reader.pieces, 0);
	see(reader.d, &reader.seen);
}

void
end_report(int code)
{
	ck_assert_int_eq(reader.seen.values, code == 0);
	ck_assert_int_eq(reader.seen.failures, code != 0);
	ck_assert_int_eq(reader.seen.code, code);
	ck_assert_ptr_null(reader.seen.value);
	evdeferred_free(reader.d);
	reader.meanwhile = NULL;
}

const char *
take_report(enum evdefer_report_format format)
{
	start_report(format);
	ck_assert_int_eq(event_base_dispatch(loop), 1);
	ck_assert_uint_lt(reader.length, sizeof(reader.text));
	reader.text[reader.length] = '\0';
	end_report(0);
	return reader.text;
}

/* Takes the digits of addresses away. */
static void
blot_addresses(char *text)
{
	char *to = text;

	while (*text != '\0') {
		if (strncmp(text, "0x", 2) != 0) {
			*to++ = *text++;
			continue;
		}
		*to++ = *text++;
		*to++ = *text++;
		while (isxdigit((unsigned char)*text))
			text++;
	}
	*to = '\0';
}

const char *
take_text(void)
{
	char *text = reader.text, *last;

	take_report(EVDEFER_REPORT_TEXT);
	blot_addresses(text);
	text = strchr(text, '\n');
	ck_assert_ptr_nonnull(text);
	last = strstr(text, " in all\n");
	ck_assert_ptr_nonnull(last);
	while (last[-1] != '\n')
		last--;
	*last = '\0';
	return text + 1;
}
