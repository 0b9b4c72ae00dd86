# shellcheck shell=sh
# SPDX-License-Identifier: MIT
#
# What the scripts of the tests count with.  They have a folder $tmp, and end with finish.
: "${tmp:?}"
passed=0
failed=0

# Says more about what is not so; a script may have another one.
show_more()
{
	:
}

# expect WHAT COMMAND...
expect()
{
	what=$1
	shift
	if "$@" >"$tmp/expect.out" 2>&1; then
		passed=$((passed + 1))
		return
	fi
	failed=$((failed + 1))
	echo "$what: not so"
	head -n 60 "$tmp/expect.out"
	show_more
}

# is ONE OTHER: shown where they differ.
is()
{
	[ "$1" = "$2" ] || {
		printf "'%s' is not '%s'\n" "$1" "$2"
		return 1
	}
}

finish()
{
	echo "$passed passed, $failed failed"
	[ "$failed" -eq 0 ]
}
