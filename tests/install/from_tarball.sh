#!/bin/sh
# SPDX-License-Identifier: MIT
#
# from_tarball.sh TARBALL: configures, builds, tests, installs and tests again what is in
# the tarball, as a packager's machine does: where git, doxygen and java are not to be
# found, and without a network, where the system allows to take it away.
set -eu

case ${1-} in
-h | --help)
	sed -n '3,/^[^#]/s/^# \{0,1\}//p' "$0"
	exit
	;;
esac

say() {
	echo "tarball-check: $*"
}

# A folder with all commands of PATH but those.
commands_without() {
	mkdir "$1"
	echo "$PATH" | tr : '\n' | while read -r folder; do
		[ ! -d "$folder" ] ||
			find "$folder/" -maxdepth 1 ! -type d -print0
	done | xargs -0 -n 500 ln -s -t "$1" 2>/dev/null || :
	rm -f "$1"/git "$1"/git-* "$1"/doxygen* "$1"/java "$1"/javac
	for name in git doxygen java; do
		if PATH=$1 command -v "$name" >/dev/null; then
			say "$name is still there"
			exit 1
		fi
	done
}

# without_network COMMAND...: with a loopback, which the daemons of the tests use.
without_network() {
	away='unshare -n'
	[ "$(id -u)" -eq 0 ] || away='unshare -rn'
	if $away ip link set lo up 2>/dev/null; then
		# shellcheck disable=SC2016 # for the shell in there
		$away sh -c 'ip link set lo up && exec "$@"' sh "$@"
	else
		say "the network is not taken away, which this system does not allow"
		"$@"
	fi
}

# logged WHAT: does make WHAT, whose end is shown if it fails.
logged() {
	say "$*"
	"$@" >log 2>&1 || {
		tail -n 60 log
		say "FAILED: $*"
		exit 1
	}
	tail -n 1 log
}

if [ "$1" = --inside ]; then
	logged ./configure --prefix="$PWD/installed"
	for target in all check install installcheck; do
		logged make "$target"
	done
	exit
fi

self=$(cd "$(dirname "$0")" && pwd)/$(basename "$0")
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
tar -xf "$1" -C "$work"
commands_without "$work/commands"
cd "$work"/evdefer-*/
# Those of the make that runs this are of another tree.
unset MFLAGS MAKELEVEL
MAKEFLAGS=-j$(nproc)
export MAKEFLAGS
PATH=$work/commands without_network "$self" --inside
say "all passed"
