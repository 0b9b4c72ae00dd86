/* SPDX-License-Identifier: MIT */
#include "statement-internal.h"

#include <string.h>

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
}

void
evstatement_end_(struct evstatement *statement)
{
	write_next(statement);
	if (statement->format->end_lock != NULL)
		statement->format->end_lock(statement);
}

static long
lesser(long one, long other)
{
	return one < other ? one : other;
}

static bool
is_there(const struct evplace *place, const struct evcreation *creation)
{
	const long count = lesser(creation->count, place->depends);

	return count == lesser(place->creation.count, place->depends) &&
	       memcmp(creation->frames, place->creation.frames,
		   (size_t)count * sizeof(void *)) == 0;
}

const char *
evstatement_place_(
    struct evstatement *statement, const struct evcreation *creation)
{
	struct evplaces *places = statement->places;
	struct evplace *place;
	struct evtext text;
	unsigned i;

	for (i = 0; i < EVPLACES && i < places->count; i++)
		if (is_there(&places->last[i], creation))
			return places->last[i].text;
	place = &places->last[places->count++ % EVPLACES];
	place->creation = *creation;
	evtext_init_(&text, place->text, sizeof(place->text));
	place->depends = evcreation_describe_(creation, &text);
	return place->text;
}

const struct evcreation *
evstatement_creation_(const struct evdeferred *d)
{
	return d->base->debug ? evdeferred_creation_(d) : NULL;
}
