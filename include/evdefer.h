/* SPDX-License-Identifier: MIT */
/**
 * @file evdefer.h
 *
 * All of libevdefer: Deferreds, and a readers-writer lock that hands them out,
 * for programs on libevent.
 */
#ifndef EVDEFER_H
#define EVDEFER_H

#include <evdefer/base.h>
#include <evdefer/combine.h>
#include <evdefer/coro.h>
#include <evdefer/deferred.h>
#include <evdefer/file.h>
#include <evdefer/group.h>
#include <evdefer/mutex.h>
#include <evdefer/observer.h>
#include <evdefer/owner.h>
#include <evdefer/queue.h>
#include <evdefer/report.h>
#include <evdefer/result.h>
#include <evdefer/rwlock.h>
#include <evdefer/semaphore.h>
#include <evdefer/threadpool.h>
#include <evdefer/trace.h>

#endif
