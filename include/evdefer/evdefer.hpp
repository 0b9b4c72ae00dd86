/* SPDX-License-Identifier: MIT */
/**
 * @file evdefer/evdefer.hpp
 *
 * The library for C++20: objects that end with their scope, lambdas as callbacks, and
 * coroutines that wait for Deferreds and locks.  It is a header only; programs link
 * with libevdefer, and mix it with the functions of C as they like: each object has
 * get().
 *
 *	evdefer::task<> transfer(evdefer::rwlock &lock)
 *	{
 *		auto grant = co_await lock.write();
 *		...
 *	}	// the lock is released here, whatever happens
 *
 *	evdefer::spawn(base, transfer(lock)).detach();
 *
 * What the library says about a Deferred, a lock or an owner is said in the headers of
 * C, and holds here.  What differs:
 *
 * Where a function of C returns -1 or NULL with errno, this throws evdefer::error with
 * that code.  A failure that comes to a co_await is thrown as evdefer::error, too.
 * And what a lambda or a coroutine throws becomes a failure: an evdefer::error the one
 * that it was, std::bad_alloc ENOMEM, std::system_error its code if that is one of
 * errno, anything else EINVAL, with the message of what().
 *
 * Nothing is allocated that a program in C would not allocate, but for the frames of
 * coroutines, and exceptions: a lambda without captures, or with those that fit into
 * a pointer (a reference, say), is the argument of its link; a larger one is copied
 * to the heap, and freed as soon as its link is through.
 *
 * All belongs to the thread of its base, but for base::call().
 */
#ifndef EVDEFER_EVDEFER_HPP
#define EVDEFER_EVDEFER_HPP

#include <evdefer.h>
#include <evdefer/cxx/base.hpp>
#include <evdefer/cxx/deferred.hpp>
#include <evdefer/cxx/error.hpp>
#include <evdefer/cxx/lock.hpp>
#include <evdefer/cxx/task.hpp>

#endif
