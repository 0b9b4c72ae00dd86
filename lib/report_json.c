/* SPDX-License-Identifier: MIT */
/* For programs. */
#include "report-internal.h"

#include <inttypes.h>

static const char *const lists[] = {
    [EVRELATION_INSIDE] = "inside",
    [EVRELATION_GRANTED] = "granted",
    [EVRELATION_WAITING] = "waiting",
};

static void
begin_json(struct evpage *page, bool debug)
{
	evpage_add_(page, "{\"debug\":%s,\"names\":%d,\"locks\":[",
	    debug ? "true" : "false", EVDEFER_REPORT_NAMES);
}

static void
add_json_facts(struct evpage *page, const struct evsubject *subject)
{
	const struct evfact *fact;

	for (fact = subject->facts; fact->name != NULL; fact++) {
		evpage_add_(page, ",\"%s\":", fact->name);
		if (fact->word != NULL)
			evpage_quote_json_(page, fact->word);
		else
			evpage_add_(page, "%zu", fact->number);
	}
}

static void
begin_json_lock(struct evstatement *statement)
{
	const struct evsubject *subject = statement->subject;
	struct evpage *page = statement->page;

	evpage_add_(page,
	    "%s\n{\"number\":%" PRIu64 ",\"kind\":\"%s\","
	    "\"name\":",
	    statement->follows ? "," : "", statement->number, subject->kind);
	evpage_quote_json_(page, subject->name);
	evpage_add_(page,
	    ",\"address\":\"%p\",\"closed\":%s,\"inside_count\":%zu,"
	    "\"waiting_count\":%zu",
	    statement->lock, subject->closed ? "true" : "false",
	    subject->inside, subject->waiting);
	add_json_facts(page, subject);
	evpage_add_(page, ",\n \"%s\":[", lists[0]);
}

/* Ends the lists up to that one, which may be empty, and begins it. */
static void
go_to_list(struct evstatement *statement, enum evrelation relation)
{
	while (statement->relation < relation)
		evpage_add_(statement->page, "],\n \"%s\":[",
		    lists[++statement->relation]);
}

static void
add_json_creation(struct evstatement *statement, const char *prefix,
    const struct evcreation *creation)
{
	evpage_add_(statement->page, ",\"%sseconds\":%.6f,\"%sfrom\":", prefix,
	    evstatement_age_(statement, creation), prefix);
	evpage_quote_json_(
	    statement->page, evstatement_place_(statement, creation));
}

static void
add_json(struct evstatement *statement, const struct evparty *party)
{
	struct evpage *page = statement->page;
	const bool first =
	    statement->parties == 0 || statement->relation != party->relation;

	go_to_list(statement, party->relation);
	evpage_add_(page, "%s\n  {\"owner\":", first ? "" : ",");
	evpage_quote_json_(page, party->owner);
	if (party->owner != NULL)
		evpage_add_(page, ",\"owner_number\":%" PRIu64, party->number);
	evpage_add_(
	    page, ",\"mode\":\"%s\",\"count\":%zu", party->mode, party->count);
	if (party->rest)
		evpage_add_(page, ",\"rest\":true");
	if (party->creation != NULL)
		add_json_creation(statement, "", party->creation);
	if (party->last != NULL) {
		evpage_add_(page, ",\"entered\":%zu", party->entered);
		add_json_creation(statement, "last_", party->last);
	}
	evpage_add_(page, "}");
}

static void
end_json_lock(struct evstatement *statement)
{
	go_to_list(statement, EVRELATION_WAITING);
	evpage_add_(statement->page, "]}");
}

static void
end_json(struct evpage *page, size_t locks)
{
	evpage_add_(page, "\n],\"count\":%zu}\n", locks);
}

const struct evformat evformat_json_ = {
    begin_json, begin_json_lock, add_json, end_json_lock, end_json};
