#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Whatever ends the demo, nothing is left in the temporary folder, and no kvd.
#
# From the environment, as set by automake: KVD.

set -u

case ${1-} in
-h | --help)
	sed -n '3,/^[^#]/s/^# \{0,1\}//p' "$0"
	exit
	;;
esac

kvd=${KVD:-../docs/kvd/kvd}
demo=${kvd%/kvd}/demo/demo
if [ ! -x "$demo" ]; then
	echo "skipped: there is no demo"
	exit 77
fi

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM
# shellcheck source=/dev/null
. "${srcdir:-$(dirname "$0")}/expect.sh"
mkdir "$tmp/a folder" || exit 1

is_empty()
{
	[ -z "$(ls -A "$1")" ]
}

# What is ignored here, under nohup(1) say, is ignored there.
heard=
if env --default-signal=HUP,TERM true 2> /dev/null; then
	heard='env --default-signal=HUP,TERM'
fi

# end_at TEXT SIGNAL: sends it when the demo prints that.
end_at()
{
	mkfifo "$tmp/output"
	TMPDIR="$tmp/a folder" $heard "$demo" "$kvd" > "$tmp/output" 2>&1 &
	pid=$!
	exec 4< "$tmp/output"
	while read -r line <&4; do
		case $line in
		*"$1"*) break ;;
		esac
	done
	expect "SIG$2 at '$1': it is at work" [ -d "$tmp/a folder"/kvd-demo.* ]
	kill -s "$2" "$pid"
	# No one has its output any more, a kvd neither.
	cat <&4 > "$tmp/rest"
	exec 4<&-
	wait "$pid"
	status=$?
	expect "SIG$2 at '$1': it ends so, not with $status" [ "$status" -gt 128 ]
	expect "SIG$2 at '$1': nothing is left" is_empty "$tmp/a folder"
	rm -rf "$tmp/output" "$tmp/a folder"/*
}

end_at 'queue up to' TERM # the table is being filled
end_at ' reads/s ' TERM
end_at ' reads/s ' HUP

# The demo with a kvd that ends at once.
fails()
{
	! TMPDIR="$tmp/a folder" "$demo" /bin/false > "$tmp/log" 2>&1
}

helps()
{
	"$demo" --help | grep -q usage: && "$demo" -h | grep -q usage:
}

expect 'a kvd that does not start' fails
expect 'a kvd that does not start: it says so' grep -q 'did not start' "$tmp/log"
expect 'a kvd that does not start: nothing is left' is_empty "$tmp/a folder"
expect 'it says how it is called' helps

finish
