/* SPDX-License-Identifier: MIT */
/**
 * @file evdefer/cxx/closure.hpp
 *
 * Function objects as the argument of a function of C.  Part of evdefer/evdefer.hpp.
 */
#ifndef EVDEFER_CXX_CLOSURE_HPP
#define EVDEFER_CXX_CLOSURE_HPP

#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace evdefer
{

namespace detail
{

/* A pointer that becomes what is asked for. */
struct any_pointer {
	void *pointer;

	template <class T>
	operator T *() const noexcept
	{
		return static_cast<T *>(pointer);
	}

	template <class T> operator std::unique_ptr<T>() const noexcept
	{
		return std::unique_ptr<T>(static_cast<T *>(pointer));
	}
};

template <class F>
inline constexpr bool is_stateless =
    std::is_empty_v<F> &&std::is_default_constructible_v<F>;

template <class F>
inline constexpr bool fits_pointer =
    sizeof(F) <= sizeof(void *) && std::is_trivially_copyable_v<F>;

/* How a function object becomes the argument of a C function. */
template <class F> struct closure {
	static constexpr bool is_owned = !is_stateless<F> && !fits_pointer<F>;

	template <class G>
	static void *
	pack(G &&f)
	{
		if constexpr (is_stateless<F>) {
			return nullptr;
		} else if constexpr (fits_pointer<F>) {
			void *arg = nullptr;

			std::memcpy(&arg, std::addressof(f), sizeof(F));
			return arg;
		} else {
			return new F(std::forward<G>(f));
		}
	}

	template <class... Args>
	static decltype(auto)
	call(void *arg, Args &&...args)
	{
		if constexpr (is_stateless<F>) {
			return F{}(std::forward<Args>(args)...);
		} else if constexpr (fits_pointer<F>) {
			alignas(F) std::byte bytes[sizeof(F)];

			std::memcpy(bytes, &arg, sizeof(F));
			return (*std::launder(reinterpret_cast<F *>(bytes)))(
			    std::forward<Args>(args)...);
		} else {
			return (*static_cast<F *>(arg))(
			    std::forward<Args>(args)...);
		}
	}

	static void
	destroy(void *arg)
	{
		if constexpr (is_owned)
			delete static_cast<F *>(arg);
	}
};

} // namespace detail

} // namespace evdefer

#endif
