/* SPDX-License-Identifier: MIT */
#ifndef EVDEFER_REPORT_INTERNAL_H
#define EVDEFER_REPORT_INTERNAL_H

#include <evdefer/report.h>

#include "statement-internal.h"

extern const struct evformat evformat_text_;
extern const struct evformat evformat_json_;
extern const struct evformat evformat_graph_;

/* For how long it has been so, in seconds. */
static inline double
evstatement_age_(
    const struct evstatement *statement, const struct evcreation *creation)
{
	return (double)(statement->now - creation->time) / 1e9;
}

#endif
