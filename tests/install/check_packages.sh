#!/bin/sh
# SPDX-License-Identifier: MIT
#
# check_packages.sh DEBS OUT CODENAME...: in a bare Debian of each name, which lies in
# OUT: installs the packages, runs the tests of debian/tests against them, and purges
# them.  No file may be left, and no package.  Those in DEBS are for the Debian that runs
# here; for another one they are built there, from the source package in DEBS.
#
# Needs root, debootstrap and Debian's servers: status 77 without them.
set -eu

case ${1-} in
-h | --help)
	sed -n '3,/^[^#]/s/^# \{0,1\}//p' "$0"
	exit
	;;
esac
top=$(cd "$(dirname "$0")/../.." && pwd)
debs=$(cd "$1" && pwd)
mkdir -p "$2"
out=$(cd "$2" && pwd)
shift 2
# Theirs.
# shellcheck disable=SC2034
name=packages

unavailable() {
	echo "deb-check: skipped: $*"
	exit 77
}

# shellcheck source=/dev/null
. "$top/tests/portability/packages.sh"
# shellcheck source=/dev/null
. "$top/tests/portability/bare.sh"

say() {
	echo "deb-check: $codename: $*"
}

# quietly COMMAND...: in the system; what it prints is shown if it fails.
quietly() {
	inside env LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@" \
		>"$out/$codename.log" 2>&1 && return
	tail -n 40 "$out/$codename.log" >&2
	say "failed: $*" >&2
	exit 1
}

install() {
	quietly apt-get install -y -q --no-install-recommends "$@"
}

# What apt is told here about the servers and the way to them.
apt_servers() {
	apt-config dump | grep -iE \
		'^Acquire::(.*::)?(proxy|cainfo|verify-(peer|host)|check-[a-z-]*)( |::)' || :
}

# fresh WHAT: sets root, a copy of the bare system, with the source package in it.
fresh() {
	bare_debian "$codename"
	rm -rf "$out/$codename-$1"
	cp -a "$root" "$out/$codename-$1"
	root=$out/$codename-$1
	cp /etc/resolv.conf "$root/etc/"
	apt_servers >"$root/etc/apt/apt.conf.d/99servers"
	mkdir "$root/root/packages"
	cp "$debs"/*.dsc "$debs"/*.tar.* "$root/root/packages/"
	quietly apt-get update
}

unpack() {
	quietly sh -c 'cd /root/packages && dpkg-source --no-check -x ./*.dsc tree'
}

# The packages of this release, to $built.
build() {
	built=$debs
	[ "$codename" != "$(codename)" ] || return 0
	say 'building the packages there'
	fresh build
	install dpkg-dev
	quietly apt-get build-dep -y -q --no-install-recommends \
		/root/packages/"$(cd "$debs" && ls -- *.dsc)"
	unpack
	quietly env DEB_BUILD_OPTIONS=nocheck sh -c \
		'cd /root/packages/tree && dpkg-buildpackage --no-sign -b'
	built=$out/$codename-debs
	rm -rf "$built"
	mkdir "$built"
	cp "$root"/root/packages/*.deb "$built/"
}

# Names of all packages but those with symbols for debuggers.
list_packages() {
	(cd "$built" && for deb in *.deb; do
		case $deb in
		*-dbgsym_*) ;;
		*) echo "${deb%%_*}" ;;
		esac
	done)
}

# field NAME: of debian/tests/control, as words.
field() {
	sed -n "s/^$1: //p" "$top/build-aux/debian/tests/control" | tr ',' '\n' |
		tr -d ' ' | sort -u
}

# All files, and all packages with their states.  What apt and dpkg keep about
# themselves, logs and caches are not what a package leaves.
snapshot() {
	inside sh -c "find / -xdev \( -path /proc -o -path /dev -o -path /tmp \
		-o -path /root -o -path /var/cache -o -path /var/log \
		-o -path /var/lib/apt -o -path /var/lib/dpkg \) -prune -o -print |
		sort
		dpkg-query -W -f '\${Package}:\${Architecture} \${Version} \${Status}\n'"
}

# shellcheck disable=SC2046
use() {
	fresh use
	say 'installing what the tests need'
	list_packages >"$out/$codename.packages"
	install dpkg-dev $(field Depends | grep -vxFf "$out/$codename.packages")
	unpack
	snapshot >"$out/$codename.before"
	say 'installing the packages'
	while read -r package; do
		cp "$built/$package"_*.deb "$root/root/packages/"
	done <"$out/$codename.packages"
	quietly sh -c 'apt-get install -y -q --no-install-recommends /root/packages/*.deb'
	for test in $(field Tests); do
		quietly sh -c "cd /root/packages/tree && debian/tests/$test"
		say "test $test: passed"
	done
	quietly apt-get purge -y -q $(cat "$out/$codename.packages")
	quietly apt-get autoremove -y -q --purge
	snapshot >"$out/$codename.after"
	diff "$out/$codename.before" "$out/$codename.after" || {
		say 'purged, but something is left or gone' >&2
		exit 1
	}
	say "purged, nothing is left of $(wc -l <"$out/$codename.packages") packages"
}

may_chroot || unavailable 'it needs root, and leave to mount'
for codename; do
	build
	use
done
