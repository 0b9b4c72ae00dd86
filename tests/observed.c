/* SPDX-License-Identifier: MIT */
/* Linked with the tests of locks and Deferreds, with --wrap=evdefer_base_new: somebody
 * looks on at each base, and checks the order of what it is told. */
#include "onlooker.h"
#include "support.h"

/* What a million do is tested without that. */
size_t support_most = 20000;

struct evdefer_base *__real_evdefer_base_new(struct event_base *);
struct evdefer_base *__wrap_evdefer_base_new(struct event_base *);

struct evdefer_base *
__wrap_evdefer_base_new(struct event_base *of)
{
	struct evdefer_base *made = __real_evdefer_base_new(of);

	if (made != NULL)
		evdefer_base_set_observer(made, &onlooker, NULL);
	return made;
}
