#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Do the programs in README.md and docs/tutorial.md compile and do what the
# text says?  Each block ```c with a main() in it is compiled.  If the next
# block after it is ```text, the program is run as well and has to print
# exactly that.
#
# From the environment, as set by automake: srcdir, CC, CPPFLAGS, CFLAGS,
# LDFLAGS, LIBS, EVDEFER_CFLAGS and EVDEFER_LIBS.  Without EVDEFER_LIBS the
# programs are compiled together with the sources of the library.

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

# Writes each program to LINE.c, LINE being where its block begins, and what
# it has to print to LINE.out.
extract()
{
	awk -v directory="$2" '
	function close_block() {
		if (language == "c" && text ~ /(^|[^A-Za-z0-9_])main\(/) {
			program = directory "/" start
			printf "%s", text > (program ".c")
			close(program ".c")
		} else if (language == "text" && program != "") {
			printf "%s", text > (program ".out")
			close(program ".out")
			program = ""
		} else {
			program = ""
		}
		inside = 0
	}
	/^```/ && inside { close_block(); next }
	/^```/ {
		inside = 1
		language = substr($0, 4)
		text = ""
		start = sprintf("%05d", FNR)
		next
	}
	inside { text = text $0 "\n" }
	' "$1"
}

compile()
{
	if [ -n "${EVDEFER_LIBS:-}" ]; then
		# shellcheck disable=SC2086 # lists of options
		${CC:-cc} ${EVDEFER_CFLAGS:-} ${CPPFLAGS:-} ${CFLAGS:-} \
		    -Wall -Wextra -Werror ${LDFLAGS:-} -o "$2" "$1" \
		    $EVDEFER_LIBS ${LIBS:-}
	else
		# shellcheck disable=SC2086 # lists of options
		${CC:-cc} -I"$top/include" -D_GNU_SOURCE ${CPPFLAGS:-} \
		    ${CFLAGS:-} -Wall -Wextra -Werror ${LDFLAGS:-} -o "$2" \
		    "$1" "$top"/lib/*.c -levent_core ${LIBS:-}
	fi
}

# No program here takes a second; one that hangs must not hang the test.
run()
{
	if command -v timeout > /dev/null 2>&1; then
		timeout 60 "$1"
	else
		"$1"
	fi
}

# One program: the page and the line that it comes from, and its file without
# the extension.
check_program()
{
	if ! compile "$2.c" "$2.exe"; then
		fail "$1: does not compile"
		return
	fi
	pass
	[ -f "$2.out" ] || return
	run "$2.exe" > "$2.got" 2> "$2.err" < /dev/null
	status=$?
	if [ "$status" -ne 0 ]; then
		fail "$1: ends with $status"
	elif [ -s "$2.err" ]; then
		fail "$1: complains"
	elif ! diff -u "$2.out" "$2.got"; then
		fail "$1: prints something else"
	else
		pass
		return
	fi
	cat "$2.err"
}

check_page()
{
	directory=$tmp/$(basename "$1" .md)
	mkdir "$directory" || exit 1
	extract "$1" "$directory"
	for program in "$directory"/*.c; do
		[ -f "$program" ] || continue
		program=${program%.c}
		check_program "$1:$(basename "$program")" "$program"
	done
}

[ ! -f "$top/README.md" ] || check_page "$top/README.md"
check_page "$top/docs/tutorial.md"
if [ "$passed" -eq 0 ] && [ "$failed" -eq 0 ]; then
	fail "no program found"
fi

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
