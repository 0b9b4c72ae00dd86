# shellcheck shell=sh
# SPDX-License-Identifier: MIT
#
# What the scripts have in common that build copies of the library with a bug each, in
# $work: see explore/mutants.sh for what comes from the environment.  They set $more, which
# are flags, and count the bugs in $number, and in $failed those that were not found.
: "${srcdir:?}" "${work:?}" "${more?}" "${number:?}" "${failed:?}"

complain()
{
	echo "mutants: $1"
	failed=$((failed + 1))
}

# compile LIB DIRECTORY SOURCE...: to objects there, with the headers of LIB.
compile()
{
	lib=$1
	objects=$2
	shift 2
	mkdir -p "$objects"
	for source; do
		# The flags are lists of words.
		# shellcheck disable=SC2086
		$CC -D_GNU_SOURCE -I"$lib" -I"$srcdir/../include" -I"$srcdir" \
		    $more $CPPFLAGS $EVDEFER_CFLAGS $CHECK_CFLAGS $CFLAGS -c \
		    -o "$objects/$(basename "$source" .c).o" "$source" \
		    >"$work/log" 2>&1 && continue
		cat "$work/log"
		return 1
	done
}

# link PROGRAM OBJECT...
link()
{
	program=$1
	shift
	# shellcheck disable=SC2086
	$CC $CFLAGS -o "$program" "$@" $LDFLAGS $EVDEFER_LIBS $CHECK_LIBS \
	    >"$work/log" 2>&1 && return 0
	cat "$work/log"
	return 1
}

# mutant PATCH: a copy of $work/sound with the bug, in $work/lib.
mutant()
{
	number=$((number + 1))
	rm -rf "${work:?}/lib" "$work/mutant"
	cp -R "$work/sound" "$work/lib"
	(cd "$work" && patch -s -f -p0) <"$1" && return
	complain "$(basename "$1" .patch): the patch no longer applies; change $1"
	return 1
}
