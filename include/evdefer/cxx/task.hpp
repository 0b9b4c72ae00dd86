/* SPDX-License-Identifier: MIT */
/**
 * @file evdefer/cxx/task.hpp
 *
 * Coroutines that wait for Deferreds.  Part of evdefer/evdefer.hpp.
 */
#ifndef EVDEFER_CXX_TASK_HPP
#define EVDEFER_CXX_TASK_HPP

#include <coroutine>
#include <exception>
#include <memory>
#include <optional>
#include <utility>

#include <evdefer/cxx/base.hpp>

namespace evdefer
{

namespace detail
{

/* A coroutine that was spawned, and those that it waits for in turn. */
struct root {
	evdeferred *fires = nullptr;	 /* NULL: nobody wants to know */
	evdeferred *waits_for = nullptr; /* what a cancel goes to */
	bool *has_ended = nullptr;	 /* for a cancel that is under way */

	void
	cancel()
	{
		bool ended = false;

		has_ended = &ended;
		evdeferred_cancel(waits_for);
		if (ended)
			return;
		/* It takes its time, and nobody waits for it any more. */
		has_ended = nullptr;
		fires = nullptr;
	}
};

/* Waits for a Deferred. */
class wait
{
public:
	explicit wait(deferred d) noexcept : d_(std::move(d))
	{
	}

	wait(const wait &) = delete;
	wait &operator=(const wait &) = delete;

	~wait()
	{
		if (done_)
			evresult_dispose(result_);
		evfailure_unref(failure_);
	}

	bool
	await_ready() const noexcept
	{
		return false;
	}

	template <class Promise>
	bool
	await_suspend(std::coroutine_handle<Promise> frame)
	{
		if constexpr (requires { frame.promise().root_of; })
			root_ = frame.promise().root_of;
		check(evdeferred_add_both(d_.get(), fire, this));
		if (done_)
			return false;
		frame_ = frame;
		if (root_ != nullptr)
			root_->waits_for = d_.get();
		return true;
	}

protected:
	/* What has come, which is the caller's; a failure is thrown. */
	evresult
	take()
	{
		if (failure_ != nullptr)
			throw error(failure_);
		return std::exchange(result_, evresult_value(nullptr));
	}

private:
	/* Here the coroutine goes on, and this object goes. */
	static evresult
	fire(evresult result, void *arg) noexcept
	{
		wait *const self = static_cast<wait *>(arg);

		if (evresult_is_failure(result))
			self->failure_ =
			    evfailure_ref(evresult_get_failure(result));
		else
			self->result_ = result;
		self->done_ = true;
		if (self->root_ != nullptr)
			self->root_->waits_for = nullptr;
		if (self->frame_)
			self->frame_.resume();
		return evresult_value(nullptr);
	}

	deferred d_;
	std::coroutine_handle<> frame_;
	root *root_ = nullptr;
	evresult result_ = {nullptr, nullptr};
	evfailure *failure_ = nullptr;
	bool done_ = false;
};

} // namespace detail

/** What a co_await of a Deferred gives: a value that becomes a T *, or a
 * std::unique_ptr<T>, once; one that is not taken is disposed of. */
class value
{
public:
	explicit value(evresult result) noexcept : result_(result)
	{
	}

	value(value &&other) noexcept : result_(other.take())
	{
	}

	value &operator=(value &&) = delete;

	~value()
	{
		evresult_dispose(result_);
	}

	template <class T>
	operator T *() noexcept
	{
		return static_cast<T *>(evresult_get_value(take()));
	}

	template <class T> operator std::unique_ptr<T>() noexcept
	{
		return std::unique_ptr<T>(static_cast<T *>(*this));
	}

	/** @return the result, with what is due for it. */
	evresult
	take() noexcept
	{
		return std::exchange(result_, evresult_value(nullptr));
	}

private:
	evresult result_;
};

/** co_await of a Deferred, which goes with it. */
inline auto operator co_await(deferred &&d)
{
	struct wait_for_value : detail::wait {
		using wait::wait;

		value
		await_resume()
		{
			return value(take());
		}
	};

	return wait_for_value(std::move(d));
}

template <class T> class task;

namespace detail
{

struct promise_base {
	std::coroutine_handle<>
	    waiter; /* a coroutine that waits for this one */
	root own;
	root *root_of = nullptr;
	std::exception_ptr exception;
	evresult (*result_of)(promise_base &) = nullptr; /* if it was spawned */

	std::suspend_always
	initial_suspend() const noexcept
	{
		return {};
	}

	void
	unhandled_exception() noexcept
	{
		exception = std::current_exception();
	}

	/* The frame goes first, with what the arguments hold. */
	template <class Promise>
	static void
	end(std::coroutine_handle<Promise> frame) noexcept
	{
		Promise &promise = frame.promise();
		evdeferred *const d = promise.own.fires;
		const std::exception_ptr thrown = promise.exception;
		evresult result = evresult_value(nullptr);

		if (promise.own.has_ended != nullptr)
			*promise.own.has_ended = true;
		if (!thrown)
			result = promise.result_of(promise);
		frame.destroy();
		if (thrown)
			fire_exception(d, thrown);
		else if (evdeferred_fire(d, result) == -1)
			evresult_dispose(result);
	}

	static void
	fire_exception(evdeferred *d, const std::exception_ptr &thrown) noexcept
	{
		try {
			std::rethrow_exception(thrown);
		} catch (...) {
			use_exception([d](evfailure *failure) {
				return evdeferred_fire(
				    d, evresult_from_failure(failure));
			});
		}
	}

	struct final_wait {
		bool
		await_ready() const noexcept
		{
			return false;
		}

		template <class Promise>
		std::coroutine_handle<>
		await_suspend(std::coroutine_handle<Promise> frame) noexcept
		{
			if (frame.promise().waiter)
				return frame.promise().waiter;
			end(frame);
			return std::noop_coroutine();
		}

		void
		await_resume() const noexcept
		{
		}
	};

	final_wait
	final_suspend() const noexcept
	{
		return {};
	}
};

template <class T> struct promise : promise_base {
	std::optional<T> result;

	task<T> get_return_object() noexcept;

	template <class U>
	void
	return_value(U &&value)
	{
		result.emplace(std::forward<U>(value));
	}

	T
	take()
	{
		if (exception)
			std::rethrow_exception(exception);
		return std::move(*result);
	}
};

template <> struct promise<void> : promise_base {
	task<void> get_return_object() noexcept;

	void
	return_void() const noexcept
	{
	}

	void
	take() const
	{
		if (exception)
			std::rethrow_exception(exception);
	}
};

/* The one that waits goes on where the other one ends. */
template <class T> struct wait_for_task {
	std::coroutine_handle<promise<T>> frame;

	bool
	await_ready() const noexcept
	{
		return false;
	}

	template <class Promise>
	std::coroutine_handle<>
	await_suspend(std::coroutine_handle<Promise> waiter) const noexcept
	{
		frame.promise().waiter = waiter;
		if constexpr (requires { waiter.promise().root_of; })
			frame.promise().root_of = waiter.promise().root_of;
		return frame;
	}

	T
	await_resume() const
	{
		return frame.promise().take();
	}
};

} // namespace detail

/**
 * A coroutine.  It begins when another one waits for it with co_await, or when it is
 * given to spawn(); if neither happens, it never does.
 */
template <class T = void> class [[nodiscard]] task
{
public:
	using promise_type = detail::promise<T>;

	explicit task(std::coroutine_handle<promise_type> frame) noexcept
	    : frame_(frame)
	{
	}

	task(task &&other) noexcept : frame_(other.release())
	{
	}

	task &operator=(task &&) = delete;

	~task()
	{
		if (frame_)
			frame_.destroy();
	}

	std::coroutine_handle<promise_type>
	release() noexcept
	{
		return std::exchange(frame_, nullptr);
	}

	promise_type &
	promise() const noexcept
	{
		return frame_.promise();
	}

	auto operator co_await() &&noexcept
	{
		return detail::wait_for_task<T>{frame_};
	}

private:
	std::coroutine_handle<promise_type> frame_;
};

namespace detail
{

template <class T>
task<T>
promise<T>::get_return_object() noexcept
{
	return task<T>(std::coroutine_handle<promise>::from_promise(*this));
}

inline task<void>
promise<void>::get_return_object() noexcept
{
	return task<void>(std::coroutine_handle<promise>::from_promise(*this));
}

} // namespace detail

/**
 * Runs a coroutine until it first has to wait; from then on it goes on by itself.
 *
 * @return a Deferred that fires with what the coroutine returns: nothing, a pointer or
 *   a std::unique_ptr; or with what it has thrown.  A cancel goes to what the
 *   coroutine waits for, as in Twisted's inlineCallbacks: its co_await throws
 *   ECANCELED.  If it goes on waiting after that, the Deferred fails with ECANCELED,
 *   and what the coroutine comes to is dropped.  So does one that is freed.
 */
template <class T>
deferred
spawn(const base &on, task<T> coroutine)
{
	detail::promise<T> &promise = coroutine.promise();
	detail::root &own = promise.own;
	const auto canceller = [](evdeferred *, void *arg) {
		static_cast<detail::root *>(arg)->cancel();
	};
	deferred d(evdeferred_new(on.get(), canceller, &own));

	own.fires = d.get();
	promise.root_of = &own;
	promise.result_of = [](detail::promise_base &ended) {
		auto &of = static_cast<detail::promise<T> &>(ended);

		return deferred::result_of(
		    [&of]() -> decltype(auto) { return of.take(); });
	};
	coroutine.release().resume();
	return d;
}

} // namespace evdefer

#endif
