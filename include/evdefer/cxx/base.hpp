/* SPDX-License-Identifier: MIT */
/**
 * @file evdefer/cxx/base.hpp
 *
 * The base and owners.  Part of evdefer/evdefer.hpp.
 */
#ifndef EVDEFER_CXX_BASE_HPP
#define EVDEFER_CXX_BASE_HPP

#include <evdefer/base.h>
#include <evdefer/cxx/deferred.hpp>
#include <evdefer/owner.h>

namespace evdefer
{

/** An evdefer_base, which is freed with this object; the event_base stays the
 * caller's, and has to live longer. */
class base
{
public:
	explicit base(event_base *loop)
	    : base_(detail::check(evdefer_base_new(loop)))
	{
	}

	base(const base &) = delete;
	base &operator=(const base &) = delete;

	~base()
	{
		evdefer_base_free(base_);
	}

	evdefer_base *
	get() const noexcept
	{
		return base_;
	}

	/** evdeferred_later(): fires after the delay. */
	template <class Rep, class Period>
	deferred
	later(std::chrono::duration<Rep, Period> delay) const
	{
		const timeval time = detail::to_timeval(delay);

		return deferred(
		    evdeferred_later(base_, &time, nullptr, nullptr));
	}

	/** evdefer_base_call(), from any thread.  @p f must not throw: there is nobody
	 * to tell. */
	template <class F>
	void
	call(F &&f) const
	{
		using closure = detail::closure<std::decay_t<F>>;
		void *const arg = closure::pack(std::forward<F>(f));
		const auto run = [](void *packed) noexcept {
			closure::call(packed);
			closure::destroy(packed);
		};

		if (evdefer_base_call(base_, run, arg) == 0)
			return;
		const int reason = errno;
		closure::destroy(arg);
		errno = reason;
		detail::throw_errno();
	}

private:
	evdefer_base *base_;
};

/** An evowner, which is freed with this object.  What is held for it has to go
 * first: declare grants after it. */
class owner
{
public:
	explicit owner(const base &on, const char *name = nullptr)
	    : owner_(detail::check(evowner_new(on.get(), name)))
	{
	}

	owner(const owner &) = delete;
	owner &operator=(const owner &) = delete;

	~owner()
	{
		evowner_free(owner_);
	}

	evowner *
	get() const noexcept
	{
		return owner_;
	}

private:
	evowner *owner_;
};

} // namespace evdefer

#endif
