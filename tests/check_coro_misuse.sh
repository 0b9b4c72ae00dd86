#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What a compiler has to say to coroutines that are written wrongly: they must
# not compile.  A right one has to, in C without any warning, and in C++.  Each
# wrong one is the right one with a single line changed, so that it fails for
# no other reason.
#
# From the environment, as set by automake: srcdir, CC, CXX, CPPFLAGS, CFLAGS
# and EVDEFER_CFLAGS.  Needs no library.

set -u

case ${1-} in
-h | --help)
	sed -n '3,/^[^#]/s/^# \{0,1\}//p' "$0"
	exit
	;;
esac

srcdir=${srcdir:-$(dirname "$0")}
top=$(cd "$srcdir/.." && pwd) || exit 1
passed=0
failed=0

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM

pass()
{
	passed=$((passed + 1))
}

fail()
{
	failed=$((failed + 1))
	echo "$*"
}

cat > "$tmp/right.c" <<'END'
#include <evdefer.h>

struct job {
	struct evcoro co;
	struct evdefer_base *base;
	int count;
};

static struct evdeferred *
step(struct job *job)
{
	return evdeferred_new_fired(job->base, evresult_value(job));
}

struct evresult run(struct evcoro *co, void *arg);

struct evresult
run(struct evcoro *co, void *arg)
{
	struct job *job = (struct job *)arg;

	EVCORO_BEGIN(co);
	EVCORO_AWAIT(co, step(job));
	EVCORO_TRY(co, step(job));
	for (job->count = 0; job->count < 3; job->count++)
		EVCORO_AWAIT(co, step(job));
	if (evcoro_failure(co) != 0)
		EVCORO_RETURN(evresult_fail(evfailure_get_code(
		    evcoro_failure(co)), "no luck"));
	else
		EVCORO_TRY(co, step(job));
	EVCORO_RETURN(evresult_value(evcoro_value(co)));
	EVCORO_FINALLY(co);
	job->count = 0;
	EVCORO_END(co);
}
END

warnings='-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror'

# Compiles a file with $1, the command for its language.
compile()
{
	# shellcheck disable=SC2086 # lists of options
	$1 -I"$top/include" ${EVDEFER_CFLAGS:-} ${CPPFLAGS:-} $warnings \
	    -c -o "$tmp/out.o" "$2" > "$tmp/log" 2>&1
}

c="${CC:-cc} ${CFLAGS:-}"
if compile "$c" "$tmp/right.c"; then
	pass
else
	fail "a right coroutine does not compile:"
	cat "$tmp/log"
fi

# The right one with sed's help must not compile.
refused()
{
	sed -e "$2" "$tmp/right.c" > "$tmp/wrong.c"
	if cmp -s "$tmp/right.c" "$tmp/wrong.c"; then
		fail "$1: nothing was changed"
	elif compile "$c" "$tmp/wrong.c"; then
		fail "$1: compiles"
	else
		pass
	fi
}

refused 'two waits on one line' \
    's/^	EVCORO_AWAIT(co, step(job));/& EVCORO_AWAIT(co, step(job));/'
refused 'a wait and a try on one line' \
    's/^	EVCORO_AWAIT(co, step(job));/& EVCORO_TRY(co, step(job));/'
refused 'no beginning' '/EVCORO_BEGIN/d'
refused 'no end' '/EVCORO_END/d'
refused 'a wait before the beginning' \
    's/EVCORO_BEGIN(co);/EVCORO_AWAIT(co, step(job)); \
    &/'
refused 'a wait after the end' \
    's/EVCORO_END(co);/& \
    EVCORO_AWAIT(co, step(job));/'
refused 'two cleanups' 's/EVCORO_FINALLY(co);/& \
    &/'

# CXX=false says that there is none, as for another machine.
cxx=${CXX:-c++}
if [ "$cxx" != false ] && command -v "${cxx%% *}" > /dev/null 2>&1; then
	cp "$tmp/right.c" "$tmp/right.cc"
	if compile "$cxx -std=c++11" "$tmp/right.cc"; then
		pass
	else
		fail "a right coroutine does not compile as C++:"
		cat "$tmp/log"
	fi
	# An initialization that a wait jumps over, which C lets pass.
	sed -e 's/EVCORO_BEGIN(co);/& int local = 1; (void)local;/' \
	    "$tmp/right.c" > "$tmp/wrong.cc"
	if compile "$cxx -std=c++11" "$tmp/wrong.cc"; then
		fail "a local variable in the body compiles as C++"
	else
		pass
	fi
fi

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
