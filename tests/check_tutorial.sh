#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Do README.md and docs/tutorial.md show the programs in docs/examples, and those of
# docs/cluster, as they are, and do the former do what the text says?  A page links a
# program, then quotes it in blocks ```c or ```cpp, each of which has to be lines of that file.  All
# that an example prints is in the blocks ```text that follow: an address stands for any
# address, and a place in a program, with how long something took, for any.
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
examples=$top/docs/examples
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

# check_page PAGE: prints a line for each block of C, "good" or what is wrong with
# it.  What a program has to print goes to NAME.out.
check_page()
{
	awk -v page="$1" -v examples="$examples" -v directory="$tmp" '
	function read_file(name, text, line) {
		text = "\n"
		while ((getline line < name) > 0)
			text = text line "\n"
		close(name)
		return text
	}
	function check_quote() {
		if (program == "")
			print page ":" start ": no link says which program"
		else if (index(file, "\n" text) == 0)
			print page ":" start ": not so in " program ".c"
		else
			print "good"
	}
	/^```/ && inside {
		inside = 0
		if (language == "c" || language == "cpp")
			check_quote()
		else if (language == "text" && is_example)
			printf "%s", text >> (directory "/" program ".out")
		next
	}
	/^```/ {
		inside = 1
		language = substr($0, 4)
		text = ""
		start = FNR
		next
	}
	inside { text = text $0 "\n"; next }
	match($0, /(examples|cluster)\/[a-z_]+\.cc?\)/) {
		path = substr($0, RSTART, RLENGTH - 1)
		file = read_file(examples "/../" path)
		is_example = path ~ /^examples/
		program = path
		gsub(/.*\/|\.cc?$/, "", program)
	}
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

# check_program FILE
check_program()
{
	name=$(basename "$1" .c)
	grep -q "]($name.c)" "$examples/README.md" ||
	    fail "$1: is not in $examples/README.md"
	if ! compile "$1" "$tmp/$name"; then
		fail "$1: does not compile"
		return
	fi
	pass
	[ -f "$tmp/$name.out" ] || return
	run "$tmp/$name" > "$tmp/got" 2> "$tmp/err" < /dev/null
	status=$?
	for output in "$tmp/got" "$tmp/$name.out"; do
		sed -e 's/for [0-9.]* s, from .*/for ... s, from .../' \
		    -e 's/0x[0-9a-f][0-9a-f]*/0x.../g' \
		    "$output" > "$output.same"
	done
	if [ "$status" -ne 0 ]; then
		fail "$1: ends with $status"
	elif [ -s "$tmp/err" ]; then
		fail "$1: complains"
	elif ! diff -u "$tmp/$name.out.same" "$tmp/got.same"; then
		fail "$1: prints something else"
	else
		pass
		return
	fi
	cat "$tmp/err"
}

for page in "$top/README.md" "$top/docs/tutorial.md"; do
	check_page "$page" > "$tmp/quotes" || fail "$page: cannot be read"
	while read -r quote; do
		if [ "$quote" = good ]; then
			pass
		else
			fail "$quote"
		fi
	done < "$tmp/quotes"
done
for program in "$examples"/*.c; do
	check_program "$program"
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
