/* SPDX-License-Identifier: MIT */
#include "statement-internal.h"

#include "deferred-internal.h"

/* Writes the next one, if there is any. */
static void
write_next(struct evstatement *statement)
{
	if (statement->next.count == 0)
		return;
	statement->format->add(statement, &statement->next);
	statement->relation = statement->next.relation;
	statement->parties++;
	statement->next.count = 0;
}

/* Either all in one relation are known, or none of them is. */
static bool
are_alike(const struct evparty *one, const struct evparty *other)
{
	return one->owner == NULL && other->owner == NULL &&
	       one->mode == other->mode && one->relation == other->relation &&
	       other->creation == NULL;
}

void
evstatement_add_(struct evstatement *statement, const struct evparty *party)
{
	struct evparty *next = &statement->next;

	statement->looks++;
	if (next->count > 0 && are_alike(next, party)) {
		next->count += party->count;
		return;
	}
	write_next(statement);
	*next = *party;
}

void
evstatement_add_rest_(struct evstatement *statement, enum evrelation relation,
    const char *mode, size_t count)
{
	write_next(statement);
	statement->next = (struct evparty){
	    .relation = relation, .mode = mode, .count = count, .rest = true};
	write_next(statement);
}

void
evstatement_end_(struct evstatement *statement)
{
	write_next(statement);
	if (statement->format->end_lock != NULL)
		statement->format->end_lock(statement);
}

const struct evcreation *
evstatement_creation_(const struct evdeferred *d)
{
	return d->base->debug ? evdeferred_creation_(d) : NULL;
}
