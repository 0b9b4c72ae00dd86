/* SPDX-License-Identifier: MIT */
/**
 * @file evdefer/cxx/error.hpp
 *
 * Failures and exceptions: from one to the other.  Part of evdefer/evdefer.hpp.
 */
#ifndef EVDEFER_CXX_ERROR_HPP
#define EVDEFER_CXX_ERROR_HPP

#include <cerrno>
#include <exception>
#include <new>
#include <system_error>

#include <evdefer/result.h>

namespace evdefer
{

/** A failure, as an exception.  It keeps the failure for as long as it lives. */
class error : public std::exception
{
public:
	/** Takes a reference of its own. */
	explicit error(evfailure *failure) noexcept
	    : failure_(evfailure_ref(failure))
	{
	}

	/** Takes over a result that is a failure. */
	explicit error(evresult result) noexcept
	    : failure_(evfailure_ref(evresult_get_failure(result)))
	{
		evresult_dispose(result);
	}

	error(const error &other) noexcept
	    : std::exception(other), failure_(evfailure_ref(other.failure_))
	{
	}

	error &
	operator=(const error &other) noexcept
	{
		evfailure *failure = evfailure_ref(other.failure_);

		evfailure_unref(failure_);
		failure_ = failure;
		return *this;
	}

	~error() override
	{
		evfailure_unref(failure_);
	}

	/** @return the message of the failure. */
	const char *
	what() const noexcept override
	{
		return evfailure_get_message(failure_);
	}

	/** @return its errno code, as std::errc has them. */
	std::error_code
	code() const noexcept
	{
		return {evfailure_get_code(failure_), std::generic_category()};
	}

	/** @return the failure, lent. */
	evfailure *
	get() const noexcept
	{
		return failure_;
	}

private:
	evfailure *failure_;
};

namespace detail
{

[[noreturn]] inline void
throw_errno()
{
	throw error(evresult_fail(errno, nullptr));
}

inline void
check(int status)
{
	if (status == -1)
		throw_errno();
}

template <class T>
T *
check(T *made)
{
	if (made == nullptr)
		throw_errno();
	return made;
}

inline int
code_of(const std::error_code &code) noexcept
{
	const bool is_errno = code.category() == std::generic_category() ||
			      code.category() == std::system_category();

	return is_errno && code.value() > 0 ? code.value() : EINVAL;
}

/* In a catch: hands the failure that the exception stands for to a function, which
 * has it until it returns. */
template <class Use>
auto
use_exception(Use use) noexcept
{
	try {
		throw;
	} catch (const error &e) {
		return use(e.get());
	} catch (const std::bad_alloc &) {
		return use(error(evresult_fail(ENOMEM, nullptr)).get());
	} catch (const std::system_error &e) {
		return use(
		    error(evresult_fail(code_of(e.code()), "%s", e.what()))
			.get());
	} catch (const std::exception &e) {
		return use(error(evresult_fail(EINVAL, "%s", e.what())).get());
	} catch (...) {
		return use(error(
		    evresult_fail(EINVAL, "an exception of no known kind"))
			       .get());
	}
}

/* What a link returns outlives the exception: a failure that is not the one that was
 * lent is the cause of one that is. */
inline evresult
result_of_exception(evfailure *lent) noexcept
{
	return use_exception([lent](evfailure *failure) {
		if (failure == lent)
			return evresult_from_failure(failure);
		return evresult_wrap(failure, evfailure_get_code(failure), "%s",
		    evfailure_get_message(failure));
	});
}

} // namespace detail

} // namespace evdefer

#endif
