/* SPDX-License-Identifier: MIT */
/* What must never be.  Each calls world_failed(). */
#ifndef TESTS_CLUSTER_JUDGE_H
#define TESTS_CLUSTER_JUDGE_H

#include "processes.h"

/* At any time: nobody is inside beside a writer who may believe in it as well. */
void judge_now(void);

/* A grant: its token is higher than those of before. */
void judge_grant(struct request *request);

/* All has been well for some time: nobody waits for nothing, and losses were told. */
void judge_waits(void);

/* Nobody is inside: nobody waits, and no node is left. */
void judge_idle(void);

/* All was freed. */
void judge_gone(void);

/* For people. */
void judge_describe(void);

#endif
