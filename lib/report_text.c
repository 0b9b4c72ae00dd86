/* SPDX-License-Identifier: MIT */
/* For people. */
#include "report-internal.h"

#include <inttypes.h>

/* In a terminal nothing happens but that it is read. */
static bool
escape_text(struct evpage *page, uint32_t character)
{
	if (character > EVPAGE_NO_CHARACTER)
		evpage_add_(page, "\\x%02x",
		    (unsigned)(character - EVPAGE_NO_CHARACTER));
	else if (character == '"' || character == '\\')
		evpage_add_(page, "\\%c", (int)character);
	else if (character == '\n')
		evpage_add_(page, "\\n");
	else if (character < ' ' || (character >= 0x7f && character < 0xa0))
		evpage_add_(page, "\\x%02x", (unsigned)character);
	else
		return false;
	return true;
}

static void
quote_text(struct evpage *page, const char *text)
{
	evpage_add_(page, "\"");
	evpage_add_escaped_(page, text, escape_text);
	evpage_add_(page, "\"");
}

static void
begin_text(struct evpage *page, bool debug)
{
	evpage_add_(page, "what is held and who waits for it%s:\n",
	    debug ? ""
		  : " (with evdefer_base_set_debug() also since when, and "
		    "from where)");
}

static void
add_text_facts(struct evpage *page, const struct evsubject *subject)
{
	const struct evfact *fact;

	for (fact = subject->facts; fact->name != NULL; fact++) {
		evpage_add_(page, ", %s ", fact->name);
		if (fact->word != NULL)
			evpage_add_(page, "%s", fact->word);
		else
			evpage_add_(page, "%zu", fact->number);
	}
}

static void
begin_text_lock(struct evstatement *statement)
{
	const struct evsubject *subject = statement->subject;
	struct evpage *page = statement->page;

	evpage_add_(page, "%s ", subject->kind);
	if (subject->name != NULL) {
		quote_text(page, subject->name);
		evpage_add_(page, " ");
	}
	evpage_add_(page, "(number %" PRIu64 ", %p): ", statement->number,
	    statement->lock);
	if (subject->inside + subject->waiting == 0)
		evpage_add_(page, "free");
	else
		evpage_add_(page, "inside %zu, waiting %zu", subject->inside,
		    subject->waiting);
	add_text_facts(page, subject);
	evpage_add_(page, "%s\n", subject->closed ? ", closed" : "");
}

static void
add_text_creation(struct evstatement *statement, const struct evparty *party)
{
	struct evpage *page = statement->page;

	evpage_add_(page, ", for %.3f s, from %s",
	    evstatement_age_(statement, party->creation),
	    evstatement_place_(statement, party->creation));
	if (party->last == NULL)
		return;
	evpage_add_(page,
	    "; %zu have entered since then, the last %.3f s ago, from %s",
	    party->entered - 1, evstatement_age_(statement, party->last),
	    evstatement_place_(statement, party->last));
}

static void
add_text_who(struct evpage *page, const struct evparty *party)
{
	if (party->owner != NULL)
		quote_text(page, party->owner);
	else if (party->rest)
		evpage_add_(page, "and %zu more", party->count);
	else
		evpage_add_(page, "%zu without an owner", party->count);
	evpage_add_(page, ": %s", party->mode);
	if (party->owner != NULL && party->count > 1)
		evpage_add_(page, ", %zu times", party->count);
}

static void
add_text(struct evstatement *statement, const struct evparty *party)
{
	static const char *const relations[] = {
	    [EVRELATION_INSIDE] = "inside ",
	    [EVRELATION_GRANTED] = "granted",
	    [EVRELATION_WAITING] = "waiting",
	};

	evpage_add_(statement->page, "    %s  ", relations[party->relation]);
	add_text_who(statement->page, party);
	if (party->creation != NULL)
		add_text_creation(statement, party);
	evpage_add_(statement->page, "\n");
}

static void
end_text(struct evpage *page, size_t locks)
{
	evpage_add_(page, "%zu in all\n", locks);
}

const struct evformat evformat_text_ = {
    begin_text, begin_text_lock, add_text, NULL, end_text};
