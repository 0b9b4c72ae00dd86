#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The headers in all the languages that they are for: those of C in C99 to C2x and C++98
# to C++23, without a warning; README's program as C++; and evdefer.hpp in C++20 and later,
# with its tests, and with README's program once more, as a coroutine.  With the
# compilers that are configured, and what can be compiled without the library with gcc
# and clang, where they are.
#
# From the environment, as set by automake: srcdir, CC, CXX, CXXFLAGS, CPPFLAGS, LDFLAGS,
# EVDEFER_CFLAGS, EVDEFER_LIBS, CHECK_CFLAGS and CHECK_LIBS.

set -u

case ${1-} in
-h | --help)
	sed -n '3,/^[^#]/s/^# \{0,1\}//p' "$0"
	exit
	;;
esac

srcdir=${srcdir:-$(dirname "$0")}
top=$(cd "$srcdir/.." && pwd) || exit 1
include=$top/include
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM
# shellcheck source=/dev/null
. "${srcdir:-$(dirname "$0")}/expect.sh"

# Compilers of which each is there, by what they call themselves.
compilers()
{
	for compiler; do
		$compiler --version > /dev/null 2>&1 && echo "$compiler"
	done | sort -u
}

# knows COMPILER OPTION...: does it take these at all?
knows()
{
	echo 'int main(void) { return 0; }' > "$tmp/empty.$suffix"
	"$@" -fsyntax-only "$tmp/empty.$suffix" > /dev/null 2>&1
}

# check_headers SUFFIX COMPILER STANDARD...
check_headers()
{
	suffix=$1
	compiler=$2
	shift 2
	for standard; do
		# shellcheck disable=SC2086 # a command, and options
		knows $compiler "-std=$standard" || continue
		# shellcheck disable=SC2086
		expect "the headers with $compiler -std=$standard" \
		    $compiler "-std=$standard" -pedantic -Wall -Wextra \
		    -Wshadow -Werror -I"$include" ${EVDEFER_CFLAGS:-} \
		    -fsyntax-only "$tmp/all.$suffix"
	done
}

# build WHAT FROM: with the library.
build()
{
	# shellcheck disable=SC2086 # lists of options
	expect "$1 compiles" $CXX $std -Wall -Wextra -Wpedantic -Wshadow \
	    -Wconversion -Werror -I"$include" ${EVDEFER_CFLAGS:-} \
	    ${CPPFLAGS:-} ${CXXFLAGS:-} ${CHECK_CFLAGS:-} ${LDFLAGS:-} \
	    -o "$tmp/$1" "$2" ${EVDEFER_LIBS:-} ${CHECK_LIBS:-}
}

prints_what_readme_says()
{
	"$tmp/$1" > "$tmp/printed" && diff -u "$tmp/readme" "$tmp/printed"
}

(cd "$include" && ls evdefer.h evdefer/*.h) |
	sed 's/.*/#include <&>/' > "$tmp/all.c"
cp "$tmp/all.c" "$tmp/all.cc"
for compiler in $(compilers "${CC:-cc}" gcc clang); do
	check_headers c "$compiler" c99 c11 c17 c2x
done
for compiler in $(compilers "${CXX:-c++}" g++ clang++); do
	check_headers cc "$compiler" c++98 c++11 c++14 c++17 c++20 c++2b
done

if ! ${CXX:-c++} --version > /dev/null 2>&1; then
	echo "skipped: C++, for there is no compiler of it"
	exit 77
fi
awk '/^```/ { inside = $0 == "```text" && !seen++; next } inside' \
    "$top/README.md" > "$tmp/readme"
suffix=cc
std=-std=c++11
cp "$top/docs/examples/quickstart.c" "$tmp/quickstart.cc"
build quickstart "$tmp/quickstart.cc"
expect "quickstart does what README says" prints_what_readme_says quickstart

# The tests with the oldest, where all have to be right for it.
for std in -std=c++20 -std=c++2b; do
	echo '#include <coroutine>' > "$tmp/coroutine.cc"
	# shellcheck disable=SC2086 # a command, and options
	$CXX $std -fsyntax-only "$tmp/coroutine.cc" 2> /dev/null || continue
	build quickstart_cxx "$top/docs/examples/quickstart_cxx.cc"
	expect "quickstart_cxx does what README says ($std)" \
	    prints_what_readme_says quickstart_cxx
	if [ -n "${CHECK_LIBS:-}" ] && [ $std = -std=c++20 ]; then
		build check_cxx "$srcdir/cxx/check_cxx.cc"
		expect 'its tests' "$tmp/check_cxx"
	fi
done

finish
