/* SPDX-License-Identifier: MIT */
/*
 * For dot.  Who waits points to the lock, and the lock to those that are inside, so that
 * a deadlock is a ring of arrows.
 */
#include "report-internal.h"

#include <inttypes.h>
#include <string.h>

/* What is in the quotes of a label may have escapes of its own, and entities. */
static bool
escape_label(struct evpage *page, uint32_t character)
{
	if (character > EVPAGE_NO_CHARACTER)
		evpage_add_(page, "&#65533;");
	else if (character == '"' || character == '\\')
		evpage_add_(page, "\\%c", (int)character);
	else if (character == '&')
		evpage_add_(page, "&amp;");
	else if (character < ' ' || (character >= 0x7f && character < 0xa0))
		evpage_add_(page, " ");
	else
		return false;
	return true;
}

static void
add_label(struct evpage *page, const char *text)
{
	evpage_add_escaped_(page, text, escape_label);
}

static void
begin_graph(struct evpage *page, bool debug)
{
	(void)debug;
	evpage_add_(page, "digraph locks {\n"
			  "  rankdir=LR\n"
			  "  nodesep=0.5\n"
			  "  node [fontname=\"sans-serif\"]\n"
			  "  edge [fontname=\"sans-serif\", fontsize=11]\n");
}

static bool
is_used(const struct evstatement *statement)
{
	return statement->subject->inside + statement->subject->waiting > 0;
}

static void
begin_graph_lock(struct evstatement *statement)
{
	const struct evsubject *subject = statement->subject;
	struct evpage *page = statement->page;
	const struct evfact *fact;

	if (!is_used(statement))
		return;
	evpage_add_(page,
	    "  lock%" PRIu64 " [shape=box, style=filled, "
	    "fillcolor=\"#e8eef7\", label=\"%s ",
	    statement->number, subject->kind);
	if (subject->name != NULL)
		add_label(page, subject->name);
	else
		evpage_add_(page, "%" PRIu64, statement->number);
	evpage_add_(page, "\\ninside %zu, waiting %zu%s", subject->inside,
	    subject->waiting, subject->closed ? "\\nclosed" : "");
	for (fact = subject->facts; fact->name != NULL; fact++) {
		evpage_add_(page, "\\n%s ", fact->name);
		if (fact->word != NULL)
			evpage_add_(page, "%s", fact->word);
		else
			evpage_add_(page, "%zu", fact->number);
	}
	evpage_add_(page, "\"]\n");
}

/* Adds a node unless that is there already: it is the same one if its owner is. */
static void
add_node(const struct evstatement *statement, const struct evparty *party)
{
	struct evpage *page = statement->page;

	if (party->owner != NULL) {
		evpage_add_(
		    page, "  owner%" PRIu64 " [label=\"", party->number);
		add_label(page, party->owner);
	} else {
		evpage_add_(page,
		    "  lock%" PRIu64 "_%zu [shape=plaintext, label=\"%zu %s",
		    statement->number, statement->parties, party->count,
		    party->rest ? "more" : "without an owner");
	}
	evpage_add_(page, "\"]\n");
}

static void
add_node_name(const struct evstatement *statement, const struct evparty *party)
{
	if (party->owner != NULL)
		evpage_add_(statement->page, "owner%" PRIu64, party->number);
	else
		evpage_add_(statement->page, "lock%" PRIu64 "_%zu",
		    statement->number, statement->parties);
}

/* In the label the function alone; a pointer that rests there shows all of it. */
static void
add_graph_creation(
    struct evstatement *statement, const struct evcreation *creation)
{
	const char *place = evstatement_place_(statement, creation);
	struct evpage *page = statement->page;
	char function[EVPLACE_SIZE];
	struct evtext text;

	evtext_init_(&text, function, sizeof(function));
	evtext_add_(&text, "%.*s", (int)strcspn(place, " "), place);
	evpage_add_(
	    page, "\\n%.3f s\\n", evstatement_age_(statement, creation));
	add_label(page, function);
	evpage_add_(page, "\", edgetooltip=\"");
	add_label(page, place);
}

static void
add_graph(struct evstatement *statement, const struct evparty *party)
{
	static const char *const styles[] = {
	    [EVRELATION_INSIDE] = "",
	    [EVRELATION_GRANTED] = ", style=dotted",
	    [EVRELATION_WAITING] = ", style=dashed, color=\"#c03030\"",
	};
	struct evpage *page = statement->page;

	add_node(statement, party);
	evpage_add_(page, "  ");
	if (party->relation == EVRELATION_WAITING) {
		add_node_name(statement, party);
		evpage_add_(page, " -> lock%" PRIu64, statement->number);
	} else {
		evpage_add_(page, "lock%" PRIu64 " -> ", statement->number);
		add_node_name(statement, party);
	}
	evpage_add_(page, " [label=\"%s", party->mode);
	if (party->creation != NULL)
		add_graph_creation(statement, party->creation);
	evpage_add_(page, "\"%s]\n", styles[party->relation]);
}

static void
end_graph(struct evpage *page, size_t locks)
{
	(void)locks;
	evpage_add_(page, "}\n");
}

const struct evformat evformat_graph_ = {
    begin_graph, begin_graph_lock, add_graph, NULL, end_graph};
