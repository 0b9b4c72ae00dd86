/* SPDX-License-Identifier: MIT */
/**
 * @file evdefer/cxx/deferred.hpp
 *
 * The Deferred.  Part of evdefer/evdefer.hpp.
 */
#ifndef EVDEFER_CXX_DEFERRED_HPP
#define EVDEFER_CXX_DEFERRED_HPP

#include <sys/time.h>

#include <chrono>
#include <memory>
#include <type_traits>
#include <utility>

#include <evdefer/cxx/closure.hpp>
#include <evdefer/cxx/error.hpp>
#include <evdefer/deferred.h>

namespace evdefer
{

namespace detail
{

template <class Rep, class Period>
timeval
to_timeval(std::chrono::duration<Rep, Period> duration)
{
	const auto us =
	    std::chrono::ceil<std::chrono::microseconds>(duration).count();
	timeval time{};

	time.tv_sec = static_cast<decltype(time.tv_sec)>(us / 1000000);
	time.tv_usec = static_cast<decltype(time.tv_usec)>(us % 1000000);
	return time;
}

} // namespace detail

/** A Deferred that is the holder's, and is freed with this object. */
class deferred
{
public:
	/** Takes over a Deferred.  NULL, with errno, is thrown. */
	explicit deferred(evdeferred *d) : d_(detail::check(d))
	{
	}

	deferred(deferred &&other) noexcept : d_(other.release())
	{
	}

	deferred &
	operator=(deferred &&other) noexcept
	{
		evdeferred_free(std::exchange(d_, other.release()));
		return *this;
	}

	~deferred()
	{
		evdeferred_free(d_);
	}

	evdeferred *
	get() const noexcept
	{
		return d_;
	}

	/** @return the Deferred, which is the caller's from now on. */
	evdeferred *
	release() noexcept
	{
		return std::exchange(d_, nullptr);
	}

	/** evdeferred_detach(): it goes on by itself. */
	void
	detach() noexcept
	{
		evdeferred_detach(release());
	}

	void
	cancel() noexcept
	{
		evdeferred_cancel(d_);
	}

	bool
	has_fired() const noexcept
	{
		return evdeferred_has_fired(d_);
	}

	/**
	 * Adds a link for a value.  @p f takes it as a T *, which it owns if the value
	 * is owned, or as a std::unique_ptr<T>; or nothing, and the value is
	 * disposed of when it has returned.  It returns nothing, a pointer, a
	 * std::unique_ptr, an evresult, or another deferred to wait for.
	 */
	template <class F>
	deferred &
	add_callback(F &&f) &
	{
		return add_link<F, run_callback<std::decay_t<F>>>(f);
	}

	/** Adds a link for a failure: @p f takes an evfailure *, lent, or nothing.  It
	 * returns as for add_callback(); what it throws replaces the failure. */
	template <class F>
	deferred &
	add_errback(F &&f) &
	{
		return add_link<F, run_errback<std::decay_t<F>>>(f);
	}

	/** Adds a link for both: @p f takes and returns an evresult. */
	template <class F>
	deferred &
	add_both(F &&f) &
	{
		return add_link<F, run_both<std::decay_t<F>>>(f);
	}

	/** evdeferred_add_timeout(). */
	template <class Rep, class Period>
	deferred &
	add_timeout(std::chrono::duration<Rep, Period> duration) &
	{
		const timeval time = detail::to_timeval(duration);

		detail::check(evdeferred_add_timeout(d_, &time));
		return *this;
	}

	/* The same for one that has no name yet. */
	template <class F>
	deferred
	add_callback(F &&f) &&
	{
		add_callback(std::forward<F>(f));
		return std::move(*this);
	}

	template <class F>
	deferred
	add_errback(F &&f) &&
	{
		add_errback(std::forward<F>(f));
		return std::move(*this);
	}

	template <class F>
	deferred
	add_both(F &&f) &&
	{
		add_both(std::forward<F>(f));
		return std::move(*this);
	}

	template <class Rep, class Period>
	deferred
	add_timeout(std::chrono::duration<Rep, Period> duration) &&
	{
		add_timeout(duration);
		return std::move(*this);
	}

	/** What f() has returned, as a result.  For what calls functions for C. */
	template <class F>
	static evresult
	result_of(F &&f, evfailure *lent = nullptr) noexcept
	{
		try {
			if constexpr (std::is_void_v<decltype(f())>) {
				f();
				return evresult_value(nullptr);
			} else {
				return to_result(f());
			}
		} catch (...) {
			return detail::result_of_exception(lent);
		}
	}

	static evresult
	to_result(evresult result) noexcept
	{
		return result;
	}

	static evresult
	to_result(deferred &&d) noexcept
	{
		return evresult_deferred(d.release());
	}

	template <class T>
	static evresult
	to_result(T *value) noexcept
	{
		return evresult_value(const_cast<std::remove_cv_t<T> *>(value));
	}

	template <class T>
	static evresult
	to_result(std::unique_ptr<T> value) noexcept
	{
		return evresult_owned(value.release(),
		    [](void *owned) { delete static_cast<T *>(owned); });
	}

private:
	template <class F>
	static evresult
	run_callback(evresult result, void *arg)
	{
		using closure = detail::closure<F>;
		using detail::any_pointer;

		if (evresult_is_failure(result))
			return result;
		if constexpr (std::is_invocable_v<F &, void *>) {
			return result_of([&]() -> decltype(auto) {
				return closure::call(
				    arg, evresult_get_value(result));
			});
		} else if constexpr (std::is_invocable_v<F &, any_pointer>) {
			return result_of([&]() -> decltype(auto) {
				return closure::call(arg,
				    any_pointer{evresult_get_value(result)});
			});
		} else {
			const evresult next =
			    result_of([&]() -> decltype(auto) {
				    return closure::call(arg);
			    });

			evresult_dispose(result);
			return next;
		}
	}

	template <class F>
	static evresult
	run_errback(evresult result, void *arg)
	{
		using closure = detail::closure<F>;
		evfailure *const failure = evresult_get_failure(result);

		if (failure == nullptr)
			return result;
		if constexpr (std::is_invocable_v<F &, evfailure *>) {
			return result_of(
			    [&]() -> decltype(auto) {
				    return closure::call(arg, failure);
			    },
			    failure);
		} else {
			return result_of([&]() -> decltype(auto) {
				return closure::call(arg);
			});
		}
	}

	template <class F>
	static evresult
	run_both(evresult result, void *arg)
	{
		return result_of(
		    [&]() -> decltype(auto) {
			    return detail::closure<F>::call(arg, result);
		    },
		    evresult_get_failure(result));
	}

	template <class F, evdeferred_both_fn Run>
	deferred &
	add_link(F &f)
	{
		using closure = detail::closure<std::decay_t<F>>;
		void *const arg = closure::pack(std::forward<F>(f));

		if constexpr (!closure::is_owned) {
			detail::check(evdeferred_add_both(d_, Run, arg));
		} else if (evdeferred_add_both_owned(
			       d_, Run, arg, closure::destroy) == -1) {
			const int reason = errno;

			closure::destroy(arg);
			errno = reason;
			detail::throw_errno();
		}
		return *this;
	}

	evdeferred *d_;
};

} // namespace evdefer

#endif
