#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Does each file of the library know only what is below it?  lib/Makefile.am lists
# the files by layer, the lowest first.  A file may include, and its object file
# may need, what stands before it in that list; the files of the core may know each
# other.  A public header belongs to the layer of the file that it is about.  And a
# name is unique: a static function has that of no other.
#
# So it is with the files of lib/cluster, which are above all of these; a name is
# unique within a file there.
#
# That a step upwards is seen is shown with one of each kind.  From the
# environment: srcdir, CC, CPPFLAGS, EVDEFER_CFLAGS and NM.  Needs no build.

set -u

case ${1-} in
-h | --help)
	sed -n '3,/^[^#]/s/^# \{0,1\}//p' "$0"
	exit
	;;
esac
LC_ALL=C
export LC_ALL

srcdir=${srcdir:-$(dirname "$0")}
top=$(cd "$srcdir/.." && pwd) || exit 1
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM
# shellcheck source=/dev/null
. "${srcdir:-$(dirname "$0")}/expect.sh"

# Prints "layer file" for each file of a directory of the library, from the lowest.
list_files()
{
	if [ "${1##*/}" = cluster ]; then
		grep -o 'cluster/[a-z-]*\.[ch]' "$top/lib/Makefile.am" |
			sed 's/\// /'
		return
	fi
	awk '
	/^[a-z_]+ =/ && !/libevdefer/ { layer = $1 }
	/^libevdefer_la_SOURCES/ { exit }
	layer != "" {
		for (i = 1; i <= NF; i++)
			if ($i ~ /\.[ch]$/)
				print layer, $i
	}' "$top/lib/Makefile.am"
}

# Prints "include file what" for each file in a directory.
list_includes()
{
	(cd "$1" && grep '^#include ["<]' -- *.h *.c) |
		sed 's/^\([^:]*\):#include .\([^">]*\).*/include \1 \2/'
}

# Prints "defines file name" and "needs file name" for each file in a directory.
list_symbols()
{
	for source in "$1"/*.c; do
		object=$tmp/${source##*/}.o
		# Once for all copies of a source that are the same.
		# shellcheck disable=SC2086
		cmp -s "$source" "$object.c" || ${CC:-cc} -std=c11 \
			-D_GNU_SOURCE ${CPPFLAGS-} ${EVDEFER_CFLAGS-} \
			-I"$top/include" -I"$1" -c -o "$object" "$source" ||
			return 1
		cp "$source" "$object.c"
		${NM:-nm} "$object" | awk -v file="${source##*/}" '
		NF == 3 && $2 ~ /[A-TV-Z]/ { print "defines", file, $3 }
		# Those of headers begin with ev, and are in many files.
		NF == 3 && $2 == "t" && $3 !~ /^ev/ { print "static", file, $3 }
		NF == 2 && $1 == "U" { print "needs", file, $2 }'
	done
}

# Prints each step upwards in a directory that has the files of the library.
list_steps_upwards()
{
	{
		list_files "$1" | sed 's/^/layer /'
		list_symbols "$1" || echo "broken"
		list_includes "$1"
	} | awk '
	# Kept until all is known.
	function complain(file, what, owner) {
		print file " (" layer[file] ") " what ", of " owner \
		    " (" layer[owner] ")"
	}
	function may_know(file, owner) {
		if (layer[file] == "core" && layer[owner] == "core")
			return 1
		return place[owner] <= place[file]
	}
	$1 == "layer" {
		layer[$3] = $2
		place[$3] = ++count
		if (!($2 in rank))
			rank[$2] = ++ranks
	}
	$1 == "defines" { definer[$3] = $2 }
	$1 == "static" {
		if ($3 in owner_of && layer[$2] != "cluster")
			print $2 " and " owner_of[$3] " have a function " $3
		owner_of[$3] = $2
	}
	$1 == "needs" || $1 == "include" { line[++lines] = $0 }
	$1 == "broken" { print "does not compile" }
	END {
		for (i = 1; i <= lines; i++) {
			split(line[i], word)
			file = word[2]
			name = word[3]
			if (!(file in layer)) {
				print file " is in no layer"
				continue
			}
			if (word[1] == "needs") {
				if (name in definer &&
				    !may_know(file, definer[name]))
					complain(file, "calls " name,
					    definer[name])
			} else if (name in layer) {
				if (!may_know(file, name))
					complain(file, "includes " name, name)
			} else if (name ~ /^evdefer\//) {
				owner = name
				sub(/.*\//, "", owner)
				sub(/h$/, "c", owner)
				if (owner in layer &&
				    rank[layer[owner]] > rank[layer[file]])
					complain(file, "includes " name, owner)
			}
		}
	}' | sort -u
}

# is_seen PATTERN [/cluster]: the copy of the library complains about that, and
# about nothing else.
is_seen()
{
	list_steps_upwards "$tmp/lib${2-}" >"$tmp/seen"
	cat "$tmp/seen"
	[ "$(wc -l <"$tmp/seen")" -eq 1 ] && grep -q "$1" "$tmp/seen"
}

copy()
{
	rm -rf "${tmp:?}/lib"
	mkdir "$tmp/lib" "$tmp/lib/cluster"
	cp "$top"/lib/*.[ch] "$tmp/lib"
	cp "$top"/lib/cluster/*.[ch] "$tmp/lib/cluster"
	$zookeeper || rm "$tmp/lib/cluster/zookeeper.c"
}

command -v "${NM:-nm}" >/dev/null || {
	echo "skipped: there is no nm (package binutils)"
	exit 77
}

# Without the client of the servers all but the file that needs it is looked at.
zookeeper=true
# shellcheck disable=SC2086
echo '#include <zookeeper/zookeeper.h>' |
	${CC:-cc} ${CPPFLAGS-} -E - >/dev/null 2>&1 || zookeeper=false

copy
for directory in "$tmp/lib" "$tmp/lib/cluster"; do
	list_steps_upwards "$directory" >"$tmp/seen"
	if [ -s "$tmp/seen" ]; then
		failed=$((failed + 1))
		cat "$tmp/seen"
	else
		passed=$((passed + $(list_files "$directory" | wc -l)))
	fi
done

copy
cat >>"$tmp/lib/pool.c" <<'END'
struct evdeferred;
void evdeferred_free(struct evdeferred *d);
void evpool_step_up_(struct evdeferred *d);
void evpool_step_up_(struct evdeferred *d) { evdeferred_free(d); }
END
expect "a call upwards" is_seen 'pool.c (basics) calls evdeferred_free, of deferred.c'

copy
sed 's/^#include "timeout-internal.h"/&\n#include "owner-internal.h"/' \
	"$top/lib/timeout.c" >"$tmp/lib/timeout.c"
expect "an include upwards" is_seen 'timeout.c (link_types) includes owner-internal.h'

copy
cat >>"$tmp/lib/hold.c" <<'END'
void evhold_step_up_(void);
void evhold_step_up_(void) { evowner_free(NULL); }
END
expect "a call of a later file in the same layer" is_seen \
	'hold.c (owners) calls evowner_free, of owner.c'

copy
sed 's/^#include "base-internal.h"/&\n#include <evdefer\/rwlock.h>/' \
	"$top/lib/link-internal.h" >"$tmp/lib/link-internal.h"
expect "an include of a public header upwards" is_seen \
	'link-internal.h (core) includes evdefer/rwlock.h'

copy
cat >>"$tmp/lib/coro.c" <<'END'
static void cancel_reader(void) {}
void (*evcoro_second_name_(void))(void);
void (*evcoro_second_name_(void))(void) { return cancel_reader; }
END
expect "a second function of the same name" is_seen \
	'lock.c and coro.c have a function cancel_reader'

copy
cat >>"$tmp/lib/cluster/session.c" <<'END'
#include "seat-internal.h"
void evsession_step_up_(struct evseat *seat);
void evsession_step_up_(struct evseat *seat) { (void)seat; }
END
expect "an include upwards in lib/cluster" is_seen \
	'session.c (cluster) includes seat-internal.h' /cluster

copy
cat >>"$tmp/lib/cluster/session.c" <<'END'
struct evseat;
void evseat_use_(struct evseat *seat);
void evsession_step_up_(struct evseat *seat);
void evsession_step_up_(struct evseat *seat) { evseat_use_(seat); }
END
expect "a call upwards in lib/cluster" is_seen \
	'session.c (cluster) calls evseat_use_, of seat.c' /cluster

finish
