# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC2154 # of run
#
# Part of run: a bare Debian, of another release than this one maybe, in which
# both commands of README have to work, with its own compiler, autotools and
# libraries.

# may_chroot: root, and leave to mount.
may_chroot() {
	[ "$(id -u)" -eq 0 ] && unshare --mount --pid --fork true 2>/dev/null
}

# bare_debian CODENAME: sets root, a system with nothing but what every Debian has.
bare_debian() {
	root=$out/packages/$1/root
	[ -f "$root.complete" ] && return
	PATH=$PATH:/usr/sbin:/sbin
	if ! command -v debootstrap >/dev/null; then
		unpack_tools debootstrap
		PATH=$tools/usr/sbin:$PATH
		DEBOOTSTRAP_DIR=$tools/usr/share/debootstrap
		export DEBOOTSTRAP_DIR
	fi
	echo "installing a bare Debian ($1)"
	rm -rf "$root"
	mkdir -p "$root"
	debootstrap --variant=minbase \
		--keyring=/usr/share/keyrings/debian-archive-keyring.gpg \
		"$1" "$root" "$(mirror)" >>"$out/$name.log" 2>&1 ||
		unavailable "debootstrap $1 failed, see $out/$name.log"
	touch "$root.complete"
}

# inside COMMAND...: in that system, as root there.  What it mounts and starts is
# gone when it ends.
inside() {
	# shellcheck disable=SC2016
	unshare --mount --pid --fork --kill-child sh -c '
		root=$1
		shift
		mount --make-rprivate / && mount --rbind /dev "$root/dev" &&
		mount -t proc proc "$root/proc" || exit 1
		exec chroot "$root" env -i HOME=/root TERM=dumb \
			PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"' \
		sh "$root" "$@"
}

# The tree as it is here, without what was made from it, in a folder with a space.
copy_tree() {
	rm -rf "$root/root/a tree"
	mkdir "$root/root/a tree"
	(cd "$top" && tar -c --anchored --exclude=./build --exclude=./configure \
		--exclude=./aclocal.m4 --exclude=./autom4te.cache .) |
		tar -x -C "$root/root/a tree" --no-same-owner
}

# bare_tests CODENAME: both commands of README.
bare_tests() {
	may_chroot || unavailable 'it needs root, and leave to mount'
	bare_debian "$1"
	copy_tree
	tests inside sh -c "cd '/root/a tree' && ./bootstrap demo &&
		EVDEFER_TEST_SCALE=$EVDEFER_TEST_SCALE ./bootstrap check"
}
