/* SPDX-License-Identifier: MIT */
/*
 * A line of words.
 *
 * hiredis has sdssplitargs() for this.  But it crashes without memory, and this
 * needs none.
 */
#include "words.h"

#include <stdbool.h>
#include <string.h>

#define BLANKS " \t\r\n"

static bool
is_blank(char c)
{
	return c != '\0' && strchr(BLANKS, c) != NULL;
}

/* The value of a digit, or -1. */
static int
hex(char c)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	const char *digit = c != '\0' ? strchr(digits, c) : NULL;

	return digit != NULL ? (int)((digit - digits) % 16) : -1;
}

static char
plain_escape(char c)
{
	static const char letters[] = "nrtba", meanings[] = "\n\r\t\b\a";
	const char *letter = c != '\0' ? strchr(letters, c) : NULL;

	return letter != NULL ? meanings[letter - letters] : c;
}

/* What a backslash in double quotes means.  Gives how many bytes it takes. */
static size_t
escape(const char *in, char *out)
{
	if (in[1] == 'x' && hex(in[2]) != -1 && hex(in[3]) != -1) {
		*out = (char)(hex(in[2]) * 16 + hex(in[3]));
		return 4;
	}
	*out = plain_escape(in[1]);
	return 2;
}

/* One byte between quotes.  Gives how many bytes it takes. */
static size_t
quoted(char quote, const char *in, char *out)
{
	if (in[0] == '\\' && quote == '"' && in[1] != '\0')
		return escape(in, out);
	if (in[0] == '\\' && quote == '\'' && in[1] == '\'') {
		*out = '\'';
		return 2;
	}
	*out = *in;
	return 1;
}

/* From one quote to the other.  0, or -1 if that does not end a word. */
static int
take_quoted(char **in, char **out)
{
	const char quote = *(*in)++;

	while (**in != quote) {
		if (**in == '\0')
			return -1;
		*in += quoted(quote, *in, (*out)++);
	}
	(*in)++;
	return **in == '\0' || is_blank(**in) ? 0 : -1;
}

int
words_next(char **line, struct bytes *word)
{
	char *in = *line + strspn(*line, BLANKS);
	char *out = in;

	word->data = in;
	if (*in == '\0')
		return 0;
	while (*in != '\0' && !is_blank(*in)) {
		if (*in != '"' && *in != '\'')
			*out++ = *in++;
		else if (take_quoted(&in, &out) == -1)
			return -1;
	}
	*line = *in != '\0' ? in + 1 : in;
	*out = '\0';
	word->length = (size_t)(out - word->data);
	return 1;
}
