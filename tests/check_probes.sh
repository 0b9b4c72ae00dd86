#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Are the probes of the library those that docs/tracing.md lists, each with as many
# arguments, and all with one semaphore?  And where gdb may trace: does a program that
# it attaches to come to them, with their arguments?
#
# From the environment: srcdir, LIBRARY (the shared one), USDT (what configure found),
# CC, EVDEFER_CFLAGS and EVDEFER_LIBS.
set -u

case ${1-} in
-h | --help)
	sed -n '3,/^[^#]/s/^# \{0,1\}//p' "$0"
	exit
	;;
esac
LC_ALL=C
export LC_ALL

top=$(cd "${srcdir:-$(dirname "$0")}/.." && pwd) || exit 1
library=${LIBRARY:-../lib/.libs/libevdefer.so}
skip()
{
	echo "skipped: $*"
	exit 77
}

[ "${USDT:-yes}" = yes ] || skip 'configured without probes'
[ -f "$library" ] || skip 'there is no shared library'
command -v readelf >/dev/null || skip 'there is no readelf (package binutils)'
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM
# shellcheck source=/dev/null
. "${srcdir:-$(dirname "$0")}/expect.sh"

# "name arguments" of each.
# shellcheck disable=SC2016 # backquotes of Markdown
sed -n 's/^| `\([a-z]*\)` | \([^|]*\) |.*/\1 \2/p' "$top/docs/tracing.md" |
	awk '{ print $1, NF - 1 }' | sort >"$tmp/documented"
readelf -n "$library" | awk '
	/Provider:/ { provider = $2 }
	/Name:/ { name = $2 }
	/Arguments:/ && provider == "evdefer" { print name, NF - 1 }
' | sort -u >"$tmp/built"
readelf -n "$library" | sed -n 's/.*Semaphore: //p' | sort -u >"$tmp/semaphores"
expect 'that there are probes' test -s "$tmp/documented"
expect 'the probes, documented and built' \
	diff "$tmp/documented" "$tmp/built"
expect 'one semaphore' test "$(wc -l <"$tmp/semaphores")" -eq 1

cat >"$tmp/program.c" <<'END'
#include <evdefer.h>
#include <event2/event.h>

int
main(void)
{
	struct event_base *loop = event_base_new();
	struct evdefer_base *base = evdefer_base_new(loop);
	struct evrwlock *lock = evrwlock_new(base, EVRWLOCK_FAST);
	struct evowner *owner = evowner_new(base, "ann");

	evrwlock_set_name(lock, "red");
	evdeferred_free(evrwlock_acquire(lock, owner, EVRWLOCK_WRITE));
	evowner_free(owner);
	evrwlock_free(lock);
	evdefer_base_free(base);
	event_base_free(loop);
	return 0;
}
END
cat >"$tmp/commands" <<'END'
start
break -probe-stap evdefer:acquire
commands
silent
printf "acquire of %s, mode %d, by %s, waits %d\n", (char *)$_probe_arg1, $_probe_arg2, (char *)$_probe_arg3, $_probe_arg5
continue
end
break -probe-stap evdefer:release
commands
silent
printf "release of %s, mode %d, by %s\n", (char *)$_probe_arg1, $_probe_arg2, (char *)$_probe_arg3
continue
end
continue
END
# shellcheck disable=SC2086 # lists of words
if command -v gdb >/dev/null &&
	${CC:-cc} ${EVDEFER_CFLAGS-} -g -o "$tmp/program" "$tmp/program.c" \
		"$library" -Wl,-rpath,"$(dirname "$library")" \
		${EVDEFER_LIBS--levent_core} >"$tmp/log" 2>&1 &&
	timeout 60 gdb -q -nx -batch -ex start -ex kill "$tmp/program" 2>&1 |
	grep -q 'Temporary breakpoint 1, main'; then
	timeout 60 gdb -q -nx -batch -x "$tmp/commands" "$tmp/program" \
		>"$tmp/seen" 2>&1
	expect 'what gdb sees' grep -q \
		'^acquire of red, mode 2, by ann, waits 0$' "$tmp/seen"
	expect 'what gdb sees of a release' grep -q \
		'^release of red, mode 2, by ann$' "$tmp/seen"
else
	echo 'left out: gdb is not there, or may not trace'
fi

finish
