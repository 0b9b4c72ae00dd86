/* SPDX-License-Identifier: MIT */
/**
 * @file evdefer/cxx/lock.hpp
 *
 * Locks, and what is held.  Part of evdefer/evdefer.hpp.
 */
#ifndef EVDEFER_CXX_LOCK_HPP
#define EVDEFER_CXX_LOCK_HPP

#include <cstddef>
#include <optional>
#include <utility>

#include <evdefer/cxx/task.hpp>
#include <evdefer/mutex.h>
#include <evdefer/rwlock.h>
#include <evdefer/semaphore.h>

namespace evdefer
{

/** Something that is held, and given back with this object. */
template <class Part> class hold
{
public:
	explicit hold(Part part) noexcept : part_(part)
	{
	}

	hold(hold &&other) noexcept : part_(other.take())
	{
	}

	hold &
	operator=(hold &&other) noexcept
	{
		if (this != &other) {
			release();
			part_ = other.take();
		}
		return *this;
	}

	~hold()
	{
		release();
	}

	/** @return whether it was held until now: false if that was given back before,
	 * or the right to it was lost (ESTALE). */
	bool
	release() noexcept
	{
		const std::optional<Part> part = take();

		return part && part->release() == 0;
	}

	explicit operator bool() const noexcept
	{
		return part_.has_value();
	}

protected:
	std::optional<Part>
	take() noexcept
	{
		return std::exchange(part_, std::nullopt);
	}

	std::optional<Part> part_;
};

/** A Deferred that fires when something is granted: its co_await gives the hold.
 * Without co_await the lock comes as a value, to be released as in C. */
template <class Hold, class Part> class acquisition : public deferred
{
public:
	acquisition(evdeferred *d, Part part) : deferred(d), part_(part)
	{
	}

	using deferred::add_timeout;

	template <class Rep, class Period>
	acquisition
	add_timeout(std::chrono::duration<Rep, Period> duration) &&
	{
		deferred::add_timeout(duration);
		return std::move(*this);
	}

	auto operator co_await() &&
	{
		struct wait_for_hold : detail::wait {
			Part part;

			wait_for_hold(deferred d, Part of)
			    : wait(std::move(d)), part(of)
			{
			}

			Hold
			await_resume()
			{
				/* One whose owner has gone is void. */
				if (evresult_get_value(take()) == nullptr)
					throw error(
					    evresult_fail(ECANCELED, nullptr));
				return Hold(part);
			}
		};

		return wait_for_hold(std::move(*this), part_);
	}

private:
	Part part_;
};

namespace detail
{

inline evowner *
get(const owner *of) noexcept
{
	return of != nullptr ? of->get() : nullptr;
}

/* What a try has come to. */
template <class Hold, class Part>
std::optional<Hold>
tried(int status, Part part)
{
	if (status == 0)
		return Hold(part);
	if (errno != EBUSY)
		throw_errno();
	return std::nullopt;
}

/* with(take): take(body, arg) is one of the functions of C that acquire, run and
 * release. */
template <class F, class With>
deferred
run_with(F &&f, With with)
{
	using closure = closure<std::decay_t<F>>;
	void *const arg = closure::pack(std::forward<F>(f));
	const auto body = [](void *packed) {
		return deferred::result_of([packed]() -> decltype(auto) {
			return closure::call(packed);
		});
	};
	const auto pass = [](evresult result, void *) { return result; };
	evdeferred *const d = with(body, arg);

	if constexpr (!closure::is_owned)
		return deferred(d);
	if (d != nullptr &&
	    evdeferred_add_both_owned(d, pass, arg, closure::destroy) == 0)
		return deferred(d);
	const int reason = errno;
	evdeferred_free(d);
	closure::destroy(arg);
	errno = reason;
	throw_errno();
}

struct rwlock_part {
	evrwlock *lock;
	evowner *owner;
	evrwlock_mode mode;

	int
	release() const noexcept
	{
		return evrwlock_release(lock, owner, mode);
	}
};

struct mutex_part {
	evmutex *mutex;
	evowner *owner;

	int
	release() const noexcept
	{
		return evmutex_release(mutex, owner);
	}
};

struct token_part {
	evsemaphore *semaphore;
	evowner *owner;

	int
	release() const noexcept
	{
		return evsemaphore_release(semaphore, owner);
	}
};

} // namespace detail

/** A hold of an rwlock. */
class grant : public hold<detail::rwlock_part>
{
public:
	using hold::hold;

	/** evrwlock_upgrade(): a hold to write beside this one, which is upgradable. */
	acquisition<grant, detail::rwlock_part>
	upgrade() const
	{
		return {evrwlock_upgrade(part_->lock, part_->owner),
		    {part_->lock, part_->owner, EVRWLOCK_WRITE}};
	}

	/** evrwlock_downgrade(): this hold becomes less of one. */
	void
	downgrade(evrwlock_mode to)
	{
		detail::check(evrwlock_downgrade(
		    part_->lock, part_->owner, part_->mode, to));
		part_->mode = to;
	}
};

/** An evrwlock, which is closed with this object. */
class rwlock
{
public:
	using acquired = acquisition<grant, detail::rwlock_part>;

	explicit rwlock(const base &on, unsigned flags = 0)
	    : rwlock(evrwlock_new(on.get(), flags))
	{
	}

	/** Takes over one of a group, on a file or in a cluster.  NULL, with errno, is
	 * thrown. */
	explicit rwlock(evrwlock *lock) : lock_(detail::check(lock))
	{
	}

	rwlock(const rwlock &) = delete;
	rwlock &operator=(const rwlock &) = delete;

	~rwlock()
	{
		evrwlock_free(lock_);
	}

	evrwlock *
	get() const noexcept
	{
		return lock_;
	}

	/** evrwlock_acquire(). */
	acquired
	acquire(evrwlock_mode mode, const owner *of = nullptr) const
	{
		return {evrwlock_acquire(lock_, detail::get(of), mode),
		    {lock_, detail::get(of), mode}};
	}

	acquired
	read(const owner *of = nullptr) const
	{
		return acquire(EVRWLOCK_READ, of);
	}

	acquired
	upgradable(const owner *of = nullptr) const
	{
		return acquire(EVRWLOCK_UPGRADABLE, of);
	}

	acquired
	write(const owner *of = nullptr) const
	{
		return acquire(EVRWLOCK_WRITE, of);
	}

	/** evrwlock_try(): nothing if it would have to wait. */
	std::optional<grant>
	try_acquire(evrwlock_mode mode, const owner *of = nullptr) const
	{
		evowner *const o = detail::get(of);

		return detail::tried<grant>(evrwlock_try(lock_, o, mode),
		    detail::rwlock_part{lock_, o, mode});
	}

	/** evrwlock_with(): @p body returns as a callback does. */
	template <class F>
	deferred
	with(evrwlock_mode mode, F &&body, const owner *of = nullptr) const
	{
		return detail::run_with(std::forward<F>(body),
		    [&](evdeferred_body_fn fn, void *arg) {
			    return evrwlock_with(
				lock_, detail::get(of), mode, nullptr, fn, arg);
		    });
	}

private:
	evrwlock *lock_;
};

/** A mutex that is held. */
using mutex_hold = hold<detail::mutex_part>;

/** An evmutex, which is closed with this object. */
class mutex
{
public:
	explicit mutex(const base &on, unsigned flags = 0)
	    : mutex_(detail::check(evmutex_new(on.get(), flags)))
	{
	}

	mutex(const mutex &) = delete;
	mutex &operator=(const mutex &) = delete;

	~mutex()
	{
		evmutex_free(mutex_);
	}

	evmutex *
	get() const noexcept
	{
		return mutex_;
	}

	/** evmutex_acquire(). */
	acquisition<mutex_hold, detail::mutex_part>
	acquire(const owner *of = nullptr) const
	{
		return {evmutex_acquire(mutex_, detail::get(of)),
		    {mutex_, detail::get(of)}};
	}

	/** evmutex_try(): nothing if it is held. */
	std::optional<mutex_hold>
	try_acquire(const owner *of = nullptr) const
	{
		evowner *const o = detail::get(of);

		return detail::tried<mutex_hold>(
		    evmutex_try(mutex_, o), detail::mutex_part{mutex_, o});
	}

	/** evmutex_with(). */
	template <class F>
	deferred
	with(F &&body, const owner *of = nullptr) const
	{
		return detail::run_with(std::forward<F>(body),
		    [&](evdeferred_body_fn fn, void *arg) {
			    return evmutex_with(
				mutex_, detail::get(of), nullptr, fn, arg);
		    });
	}

private:
	evmutex *mutex_;
};

/** A token of a semaphore. */
using token = hold<detail::token_part>;

/** An evsemaphore, which is closed with this object. */
class semaphore
{
public:
	semaphore(const base &on, std::size_t tokens, unsigned flags = 0)
	    : semaphore_(
		  detail::check(evsemaphore_new(on.get(), tokens, flags)))
	{
	}

	semaphore(const semaphore &) = delete;
	semaphore &operator=(const semaphore &) = delete;

	~semaphore()
	{
		evsemaphore_free(semaphore_);
	}

	evsemaphore *
	get() const noexcept
	{
		return semaphore_;
	}

	/** evsemaphore_acquire(). */
	acquisition<token, detail::token_part>
	acquire(const owner *of = nullptr) const
	{
		return {evsemaphore_acquire(semaphore_, detail::get(of)),
		    {semaphore_, detail::get(of)}};
	}

	/** evsemaphore_try(): nothing if no token is left. */
	std::optional<token>
	try_acquire(const owner *of = nullptr) const
	{
		evowner *const o = detail::get(of);

		return detail::tried<token>(evsemaphore_try(semaphore_, o),
		    detail::token_part{semaphore_, o});
	}

	/** evsemaphore_with(). */
	template <class F>
	deferred
	with(F &&body, const owner *of = nullptr) const
	{
		return detail::run_with(std::forward<F>(body),
		    [&](evdeferred_body_fn fn, void *arg) {
			    return evsemaphore_with(
				semaphore_, detail::get(of), nullptr, fn, arg);
		    });
	}

private:
	evsemaphore *semaphore_;
};

} // namespace evdefer

#endif
