/* SPDX-License-Identifier: MIT */
/* evdefer/evdefer.hpp: what C++ adds to the library, and that it adds no more. */
#include <cstdio>
#include <cstdlib>
#include <new>
#include <optional>
#include <stdexcept>
#include <thread>

#include <event2/event.h>

#include <evdefer/evdefer.hpp>

/* Behind those of C++, in which a name of it stands for something else. */
#include <check.h>

using namespace std::chrono_literals;

/* Objects that are there, and what the heap was asked for by C++. */
static int objects;
static int allocations;

[[gnu::noinline]] void *
operator new(std::size_t size)
{
	void *memory = std::malloc(size);

	if (memory == nullptr)
		throw std::bad_alloc();
	allocations++;
	return memory;
}

[[gnu::noinline]] void
operator delete(void *memory) noexcept
{
	std::free(memory);
}

[[gnu::noinline]] void
operator delete(void *memory, std::size_t) noexcept
{
	std::free(memory);
}

namespace
{

struct object {
	int number;

	explicit object(int n) : number(n)
	{
		objects++;
	}

	object(const object &other) : number(other.number)
	{
		objects++;
	}

	object &operator=(const object &) = default;

	~object()
	{
		objects--;
	}
};

/* A loop, and the library's side of it. */
struct world {
	event_base *loop = event_base_new();
	std::optional<evdefer::base> base{std::in_place, loop};

	world()
	{
		objects = 0;
	}

	~world()
	{
		base.reset();
		event_base_free(loop);
		ck_assert_int_eq(objects, 0);
	}

	/* One whose producer gives up when it is told to. */
	evdefer::deferred
	fresh()
	{
		const auto give_up = [](evdeferred *, void *) {};

		return evdefer::deferred(
		    evdeferred_new(base->get(), give_up, nullptr));
	}

	void
	run()
	{
		event_base_dispatch(loop);
	}
};

/* The code that it throws, or 0. */
template <class F>
int
code_of(F &&f)
{
	try {
		f();
	} catch (const evdefer::error &e) {
		return e.code().value();
	}
	return 0;
}

} // namespace

START_TEST(what_c_refuses_is_thrown)
{
	ck_assert_int_eq(code_of([] { evdefer::base base(nullptr); }), EINVAL);
	ck_assert_int_eq(code_of([] {
		errno = ENFILE;
		evdefer::rwlock lock(nullptr);
	}),
	    ENFILE);
}
END_TEST

START_TEST(error_is_copied)
{
	evdefer::error first(evresult_fail(ENOENT, "no %s", "cake"));
	evdefer::error second(first);

	second = first;
	ck_assert_str_eq(second.what(), "no cake");
	ck_assert(second.code() == std::errc::no_such_file_or_directory);
	ck_assert_ptr_eq(second.get(), first.get());
}
END_TEST

START_TEST(link_takes_and_returns_what_it_likes)
{
	world w;
	evdefer::deferred d = w.fresh();
	int one = 1, two = 2, seen = 0;

	d.add_callback([&two](int *n) { return *n == 1 ? &two : nullptr; })
	    .add_callback([&seen](void *n) { seen = *static_cast<int *>(n); })
	    .add_callback([&seen] {
		    seen *= 10;
		    return std::make_unique<object>(7);
	    })
	    .add_callback([&seen](std::unique_ptr<object> o) {
		    seen += o->number;
		    return evresult_fail(EIO, nullptr);
	    })
	    .add_callback([&seen] { seen = -1; })
	    .add_errback([&seen](evfailure *failure) {
		    seen += evfailure_get_code(failure) == EIO ? 100 : 200;
	    })
	    .add_errback([&seen] { seen = -2; })
	    .add_both([](evresult result) { return result; });
	ck_assert(!d.has_fired());
	ck_assert_int_eq(evdeferred_callback(d.get(), &one), 0);
	ck_assert(d.has_fired());
	ck_assert_int_eq(seen, 127);
}
END_TEST

START_TEST(link_waits_for_another_deferred)
{
	world w;
	evdefer::deferred d = w.fresh();
	int seen = 0;

	d.add_callback([&w] {
		 return w.base->later(0s);
	 }).add_callback([&seen] { seen = 1; });
	evdeferred_callback(d.get(), nullptr);
	ck_assert_int_eq(seen, 0);
	w.run();
	ck_assert_int_eq(seen, 1);
}
END_TEST

START_TEST(value_that_a_link_does_not_take_is_freed_behind_it)
{
	world w;
	evdefer::deferred d = w.fresh();
	int seen = 0;

	d.add_callback([&seen] { seen = objects; });
	evdeferred_fire(
	    d.get(), evdefer::deferred::to_result(std::make_unique<object>(1)));
	ck_assert_int_eq(seen, 1);
	ck_assert_int_eq(objects, 0);
}
END_TEST

START_TEST(small_lambdas_need_no_memory)
{
	world w;
	evdefer::deferred d = w.fresh();
	int seen = 0;

	allocations = 0;
	d.add_callback([] {})
	    .add_callback([&seen] { seen = 3; })
	    .add_errback([] {});
	ck_assert_int_eq(allocations, 0);
	evdeferred_callback(d.get(), nullptr);
	ck_assert_int_eq(seen, 3);
}
END_TEST

START_TEST(large_lambda_is_freed_with_its_link)
{
	world w;
	int seen = 0;

	{
		evdefer::deferred d = w.fresh();
		evdefer::deferred never = w.fresh();
		const object captured(5);

		allocations = 0;
		d.add_callback([captured, &seen] { seen = captured.number; });
		never.add_callback([captured, &seen] { seen = -1; });
		ck_assert_int_eq(allocations, 2);
		ck_assert_int_eq(objects, 3);
		evdeferred_callback(d.get(), nullptr);
		ck_assert_int_eq(objects, 2);
	}
	ck_assert_int_eq(objects, 0);
	ck_assert_int_eq(seen, 5);
}
END_TEST

START_TEST(what_a_link_throws_is_a_failure)
{
	world w;
	evdefer::deferred d = w.fresh();
	int codes[4] = {};

	d.add_callback([] { throw std::runtime_error("what it says"); })
	    .add_errback([&codes](evfailure *failure) {
		    codes[0] = evfailure_get_code(failure);
		    ck_assert_str_eq(
			evfailure_get_message(failure), "what it says");
		    throw std::system_error(
			std::make_error_code(std::errc::broken_pipe));
	    })
	    .add_errback([&codes](evfailure *failure) {
		    codes[1] = evfailure_get_code(failure);
		    throw std::bad_alloc();
	    })
	    .add_errback([&codes](evfailure *failure) {
		    codes[2] = evfailure_get_code(failure);
		    throw 5;
	    })
	    .add_errback([&codes](evfailure *failure) {
		    codes[3] = evfailure_get_code(failure);
	    });
	evdeferred_callback(d.get(), nullptr);
	ck_assert_int_eq(codes[0], EINVAL);
	ck_assert_int_eq(codes[1], EPIPE);
	ck_assert_int_eq(codes[2], ENOMEM);
	ck_assert_int_eq(codes[3], EINVAL);
}
END_TEST

START_TEST(failure_that_is_thrown_again_is_the_same)
{
	world w;
	evdefer::deferred d = w.fresh();
	evfailure *first = nullptr, *second = nullptr;

	d.add_errback([&first](evfailure *failure) {
		 first = failure;
		 throw evdefer::error(failure);
	 }).add_errback([&second](evfailure *failure) { second = failure; });
	evdeferred_errback(d.get(), EIO, "once");
	ck_assert_ptr_nonnull(first);
	ck_assert_ptr_eq(first, second);
}
END_TEST

START_TEST(timeout_of_a_deferred)
{
	world w;
	int code = 0;

	w.fresh()
	    .add_timeout(1us)
	    .add_errback([&code](evfailure *failure) {
		    code = evfailure_get_code(failure);
	    })
	    .detach();
	w.run();
	ck_assert_int_eq(code, ETIMEDOUT);
}
END_TEST

START_TEST(call_from_another_thread)
{
	world w;
	const object captured(9);
	int seen = 0;
	evdefer::deferred d = w.base->later(1h);

	std::thread([&] {
		w.base->call([captured, &seen, &d] {
			seen = captured.number;
			d.cancel();
		});
	}).join();
	d.add_errback([] {});
	w.run();
	ck_assert_int_eq(seen, 9);
}
END_TEST

/*
 * Coroutines.
 */

namespace
{

evdefer::task<int *>
wait_for(evdefer::deferred d)
{
	const object local(1);
	int *const n = co_await std::move(d);

	co_return n;
}

evdefer::task<int>
add_one(evdefer::deferred d)
{
	int *const n = co_await wait_for(std::move(d));

	co_return *n + 1;
}

evdefer::task<>
store_sum(evdefer::deferred d, evdefer::deferred e, int &sum)
{
	const int first = co_await add_one(std::move(d));

	sum = first + co_await add_one(std::move(e));
}

/* What it waits for fails, and it goes on. */
evdefer::task<>
store_codes(evdefer::deferred d, evdefer::deferred e, int codes[2])
{
	const object local(1);

	try {
		co_await std::move(d);
	} catch (const evdefer::error &error) {
		codes[0] = error.code().value();
	}
	try {
		co_await std::move(e);
	} catch (const evdefer::error &error) {
		codes[1] = error.code().value();
		throw;
	}
}

evdefer::task<>
throw_at_once()
{
	throw std::runtime_error("at once");
	co_return;
}

evdefer::task<>
pass_on(evdefer::task<> other)
{
	const object local(1);

	co_await std::move(other);
}

evdefer::task<std::unique_ptr<object>>
make_object(int number)
{
	co_return std::make_unique<object>(number);
}

/* The code of its failure, or 0; -1 before it has fired. */
int
code_of(evdefer::deferred &d)
{
	int code = d.has_fired() ? 0 : -1;

	if (code == 0)
		d.add_errback([&code](evfailure *failure) {
			code = evfailure_get_code(failure);
		});
	return code;
}

} // namespace

START_TEST(coroutine_waits_and_others_wait_for_it)
{
	world w;
	evdefer::deferred d = w.fresh(), e = w.fresh();
	evdeferred *const fire_d = d.get(), *const fire_e = e.get();
	int one = 1, two = 2, sum = 0;
	evdefer::deferred spawned =
	    spawn(*w.base, store_sum(std::move(d), std::move(e), sum));

	evdeferred_callback(fire_d, &one);
	ck_assert(!spawned.has_fired());
	ck_assert_int_eq(objects, 1);
	evdeferred_callback(fire_e, &two);
	ck_assert(spawned.has_fired());
	ck_assert_int_eq(sum, 5);
	ck_assert_int_eq(objects, 0);
}
END_TEST

START_TEST(coroutine_that_need_not_wait_has_ended)
{
	world w;
	int one = 1, *got = nullptr;

	spawn(*w.base, wait_for(evdefer::deferred(
			   evdeferred_succeed(w.base->get(), &one))))
	    .add_callback([&got](int *n) { got = n; });
	ck_assert_ptr_eq(got, &one);
}
END_TEST

START_TEST(coroutine_that_nobody_starts_never_begins)
{
	world w;
	int codes[2] = {};

	{
		evdefer::task<> never =
		    store_codes(w.fresh(), w.fresh(), codes);
		ck_assert_int_eq(objects, 0);
	}
	ck_assert_int_eq(codes[0], 0);
}
END_TEST

START_TEST(failure_comes_to_the_coroutine_and_out_of_it)
{
	world w;
	evdefer::deferred d = w.fresh(), e = w.fresh();
	evdeferred *const fire_d = d.get(), *const fire_e = e.get();
	int codes[2] = {};
	evdefer::deferred spawned =
	    spawn(*w.base, store_codes(std::move(d), std::move(e), codes));

	evdeferred_errback(fire_d, EIO, nullptr);
	ck_assert_int_eq(code_of(spawned), -1);
	evdeferred_errback(fire_e, EPIPE, nullptr);
	ck_assert_int_eq(codes[0], EIO);
	ck_assert_int_eq(codes[1], EPIPE);
	ck_assert_int_eq(code_of(spawned), EPIPE);
}
END_TEST

START_TEST(exception_comes_through_coroutines_that_wait)
{
	world w;
	const char *message = "";
	evdefer::deferred spawned = spawn(*w.base, pass_on(throw_at_once()));
	evdefer::error seen(evresult_fail(EIO, nullptr));

	spawned.add_errback(
	    [&seen](evfailure *failure) { seen = evdefer::error(failure); });
	message = seen.what();
	ck_assert_str_eq(message, "at once");
}
END_TEST

START_TEST(owned_result_of_a_coroutine)
{
	world w;
	int number = 0;

	spawn(*w.base, make_object(4))
	    .add_callback([&number](std::unique_ptr<object> made) {
		    number = made->number;
	    });
	ck_assert_int_eq(number, 4);
	/* Nobody takes this one. */
	spawn(*w.base, make_object(5));
	ck_assert_int_eq(objects, 0);
}
END_TEST

START_TEST(value_that_a_coroutine_does_not_take_is_freed)
{
	world w;
	int codes[2] = {};
	evdefer::deferred d = w.fresh();
	evdeferred *const fire_d = d.get();
	evdefer::deferred spawned =
	    spawn(*w.base, store_codes(std::move(d), w.fresh(), codes));

	evdeferred_fire(
	    fire_d, evdefer::deferred::to_result(std::make_unique<object>(1)));
	ck_assert_int_eq(objects, 1);
	spawned.add_errback([] {}).cancel();
}
END_TEST

START_TEST(cancel_comes_to_what_the_innermost_coroutine_waits_for)
{
	world w;
	evdefer::rwlock lock(*w.base, EVRWLOCK_FAST);
	auto held = lock.try_acquire(EVRWLOCK_READ);
	evdefer::deferred spawned =
	    spawn(*w.base, pass_on([](auto &l) -> evdefer::task<> {
		    auto grant = co_await l.write();
	    }(lock)));
	evrwlock_stats stats;

	evrwlock_get_stats(lock.get(), &stats);
	ck_assert_uint_eq(stats.writers_waiting, 1);
	spawned.cancel();
	ck_assert_int_eq(code_of(spawned), ECANCELED);
	evrwlock_get_stats(lock.get(), &stats);
	ck_assert_uint_eq(stats.writers_waiting, 0);
	ck_assert_int_eq(objects, 0);
}
END_TEST

START_TEST(coroutine_that_goes_on_after_a_cancel_is_let_go)
{
	world w;
	evdefer::deferred e = w.fresh();
	evdeferred *const fire_e = e.get();
	int codes[2] = {};
	evdefer::deferred spawned =
	    spawn(*w.base, store_codes(w.fresh(), std::move(e), codes));

	spawned.cancel();
	ck_assert_int_eq(codes[0], ECANCELED);
	ck_assert_int_eq(code_of(spawned), ECANCELED);
	ck_assert_int_eq(objects, 1);
	evdeferred_callback(fire_e, nullptr);
	ck_assert_int_eq(objects, 0);
}
END_TEST

START_TEST(coroutine_whose_deferred_is_freed_is_called_off)
{
	world w;
	int codes[2] = {};

	spawn(*w.base, pass_on(store_codes(w.fresh(),
			   evdefer::deferred(
			       evdeferred_fail(w.base->get(), EPIPE, nullptr)),
			   codes)));
	ck_assert_int_eq(codes[0], ECANCELED);
	ck_assert_int_eq(codes[1], EPIPE);
	ck_assert_int_eq(objects, 0);
}
END_TEST

START_TEST(coroutine_needs_memory_for_its_frame_alone)
{
	world w;
	evdefer::rwlock lock(*w.base, EVRWLOCK_FAST);
	evdefer::owner owner(*w.base);
	bool held = false;
	const auto body = [](auto &l, auto &o, bool &in) -> evdefer::task<> {
		auto grant = co_await l.read();
		auto again = co_await l.write(&o).add_timeout(0s);

		in = true;
	};

	allocations = 0;
	spawn(*w.base, body(lock, owner, held)).add_errback([] {}).cancel();
	/* The frame; and the exception that ends it keeps no more of this heap. */
	ck_assert_int_eq(allocations, 1);
	ck_assert(!held);
}
END_TEST

/*
 * Locks.
 */

START_TEST(grant_is_released_with_its_scope)
{
	world w;
	evdefer::rwlock lock(*w.base, EVRWLOCK_FAST);
	const auto body = [](auto &l) -> evdefer::task<> {
		auto grant = co_await l.upgradable();

		ck_assert(evrwlock_is_reading(l.get()));
		{
			auto write = co_await grant.upgrade();

			ck_assert(evrwlock_is_writing(l.get()));
		}
		ck_assert(!evrwlock_is_writing(l.get()));
		grant = co_await l.read();
		ck_assert(grant.release());
		ck_assert(!grant.release());
		ck_assert(!grant);
		grant = co_await l.write();
		grant.downgrade(EVRWLOCK_READ);
		ck_assert(l.try_acquire(EVRWLOCK_READ).has_value());
		ck_assert(!l.try_acquire(EVRWLOCK_WRITE).has_value());
	};
	evdefer::deferred spawned = spawn(*w.base, body(lock));

	ck_assert_int_eq(code_of(spawned), 0);
	ck_assert(!evrwlock_is_reading(lock.get()));
}
END_TEST

START_TEST(mutex_and_tokens_are_given_back)
{
	world w;
	evdefer::mutex mutex(*w.base, EVMUTEX_FAST);
	evdefer::semaphore tokens(*w.base, 2, EVSEMAPHORE_FAST);
	const auto body = [](auto &m, auto &t) -> evdefer::task<> {
		auto held = co_await m.acquire();
		auto token = co_await t.acquire();

		ck_assert(!m.try_acquire());
		ck_assert(t.try_acquire());
		ck_assert_uint_eq(evsemaphore_get_tokens(t.get()), 1);
	};
	evdefer::deferred spawned = spawn(*w.base, body(mutex, tokens));

	ck_assert_int_eq(code_of(spawned), 0);
	ck_assert(!evmutex_is_locked(mutex.get()));
	ck_assert_uint_eq(evsemaphore_get_tokens(tokens.get()), 2);
}
END_TEST

START_TEST(owner_that_would_wait_for_itself)
{
	world w;
	evdefer::rwlock lock(*w.base, EVRWLOCK_FAST);
	evdefer::owner owner(*w.base, "Ada");
	const auto body = [](auto &l, auto &o) -> evdefer::task<> {
		auto read = co_await l.read(&o);
		auto write = co_await l.write(&o);
	};
	evdefer::deferred spawned = spawn(*w.base, body(lock, owner));

	ck_assert_int_eq(code_of(spawned), EDEADLK);
	ck_assert(!evrwlock_is_reading(lock.get()));
}
END_TEST

START_TEST(with_runs_a_body_that_may_wait)
{
	world w;
	evdefer::rwlock lock(*w.base);
	evdefer::mutex mutex(*w.base);
	evdefer::semaphore tokens(*w.base, 1);
	const object captured(3);
	int seen = 0;

	lock.with(EVRWLOCK_WRITE,
		[&, captured] {
			ck_assert(evrwlock_is_writing(lock.get()));
			return w.base->later(0s).add_callback(
			    [&] { seen = 1; });
		})
	    .detach();
	mutex
	    .with([&, captured] {
		    ck_assert(evmutex_is_locked(mutex.get()));
		    seen += captured.number * 10;
	    })
	    .detach();
	tokens.with([&seen] { seen += 100; }).detach();
	/* This one never runs. */
	lock.with(EVRWLOCK_READ, [&, captured] { seen = -1; });
	w.run();
	/* The mutex and the token came first, and then the write. */
	ck_assert_int_eq(seen, 1);
}
END_TEST

START_TEST(grant_that_nobody_takes_is_released)
{
	world w;
	evdefer::rwlock lock(*w.base, EVRWLOCK_FAST);

	lock.write();
	ck_assert(!evrwlock_is_writing(lock.get()));
	lock.write().add_callback(
	    [&lock] { ck_assert(evrwlock_is_writing(lock.get())); });
	ck_assert(!evrwlock_is_writing(lock.get()));
}
END_TEST

START_TEST(lock_that_is_closed_ends_those_who_wait)
{
	world w;
	std::optional<evdefer::rwlock> lock(std::in_place, *w.base, 0u);
	const auto held = lock->try_acquire(EVRWLOCK_WRITE);
	const auto body = [](auto &l) -> evdefer::task<> {
		auto grant = co_await l->read();
	};
	evdefer::deferred spawned = spawn(*w.base, body(lock));

	lock.reset();
	ck_assert_int_eq(code_of(spawned), ESHUTDOWN);
}
END_TEST

int
main()
{
	Suite *suite = suite_create("cxx");
	TCase *tcase = tcase_create("cxx");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, what_c_refuses_is_thrown);
	tcase_add_test(tcase, error_is_copied);
	tcase_add_test(tcase, link_takes_and_returns_what_it_likes);
	tcase_add_test(tcase, link_waits_for_another_deferred);
	tcase_add_test(
	    tcase, value_that_a_link_does_not_take_is_freed_behind_it);
	tcase_add_test(tcase, small_lambdas_need_no_memory);
	tcase_add_test(tcase, large_lambda_is_freed_with_its_link);
	tcase_add_test(tcase, what_a_link_throws_is_a_failure);
	tcase_add_test(tcase, failure_that_is_thrown_again_is_the_same);
	tcase_add_test(tcase, timeout_of_a_deferred);
	tcase_add_test(tcase, call_from_another_thread);
	tcase_add_test(tcase, coroutine_waits_and_others_wait_for_it);
	tcase_add_test(tcase, coroutine_that_need_not_wait_has_ended);
	tcase_add_test(tcase, coroutine_that_nobody_starts_never_begins);
	tcase_add_test(tcase, failure_comes_to_the_coroutine_and_out_of_it);
	tcase_add_test(tcase, exception_comes_through_coroutines_that_wait);
	tcase_add_test(tcase, owned_result_of_a_coroutine);
	tcase_add_test(tcase, value_that_a_coroutine_does_not_take_is_freed);
	tcase_add_test(
	    tcase, cancel_comes_to_what_the_innermost_coroutine_waits_for);
	tcase_add_test(tcase, coroutine_that_goes_on_after_a_cancel_is_let_go);
	tcase_add_test(tcase, coroutine_whose_deferred_is_freed_is_called_off);
	tcase_add_test(tcase, coroutine_needs_memory_for_its_frame_alone);
	tcase_add_test(tcase, grant_is_released_with_its_scope);
	tcase_add_test(tcase, mutex_and_tokens_are_given_back);
	tcase_add_test(tcase, owner_that_would_wait_for_itself);
	tcase_add_test(tcase, with_runs_a_body_that_may_wait);
	tcase_add_test(tcase, grant_that_nobody_takes_is_released);
	tcase_add_test(tcase, lock_that_is_closed_ends_those_who_wait);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
