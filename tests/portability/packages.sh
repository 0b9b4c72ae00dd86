# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC2034,SC2154 # of run
#
# Part of run: Debian's packages, for this machine and others, without installing
# them.  apt works in a directory of its own, in which it knows of nothing
# installed.

debian_libraries='libc6-dev libevent-dev check libhiredis-dev zlib1g-dev
	uthash-dev libsodium-dev systemtap-sdt-dev'

codename() {
	[ -r /etc/os-release ] &&
		sed -n 's/^VERSION_CODENAME=//p' /etc/os-release
}

# The one that this system uses; else Debian's own.
mirror() {
	# shellcheck disable=SC2016
	uri=$(apt-get indextargets --format '$(REPO_URI)' 'Component: main' \
		'Created-By: Packages' "Codename: $(codename)" | head -n 1)
	echo "${uri:-http://deb.debian.org/debian}"
}

# private_apt DIRECTORY ARCHITECTURE: sets apt, the options, and DIRECTORY up.
private_apt() {
	grep -q '^ID=debian$' /etc/os-release 2>/dev/null ||
		unavailable 'this is no Debian'
	mkdir -p "$1/lists/partial" "$1/archives/partial"
	: >"$1/status"
	for type in deb deb-src; do
		echo "$type [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]" \
			"$(mirror) $(codename) main"
	done >"$1/sources.list"
	apt="-q -o APT::Architecture=$2 -o APT::Architectures::=$2
		-o APT::Sandbox::User= -o Acquire::Languages=none
		-o Debug::NoLocking=1 -o Dir::State=$1
		-o Dir::State::status=$1/status -o Dir::Cache=$1
		-o Dir::Etc::sourcelist=$1/sources.list
		-o Dir::Etc::sourceparts=-"
	[ -f "$1/updated" ] && return
	# shellcheck disable=SC2086
	apt-get $apt update >>"$out/$name.log" 2>&1
	[ -n "$(find "$1/lists" -name '*_Packages*')" ] ||
		unavailable "apt-get update for $2 failed, see $out/$name.log"
	touch "$1/updated"
}

# unpack ARCHITECTURE PACKAGE...: with all they depend on, to $sysroot.
unpack() {
	directory=$out/packages/$1
	sysroot=$directory/root
	private_apt "$directory" "$1"
	shift
	echo "$*" | cmp -s - "$directory/unpacked" && return
	echo "downloading for $name"
	# shellcheck disable=SC2086
	apt-get $apt install -y --no-install-recommends --download-only "$@" \
		>>"$out/$name.log" 2>&1 ||
		unavailable "the packages could not be had, see $out/$name.log"
	unpack_all "$directory" "$sysroot" && echo "$*" >"$directory/unpacked"
}

# unpack_all DIRECTORY ROOT
unpack_all() {
	for package in "$1"/archives/*.deb; do
		dpkg-deb -x "$package" "$2" || unavailable "$package: dpkg failed"
	done
}

# unpack_tools PACKAGE...: programs for this machine, by what is missing here;
# they go before others in the PATH.
unpack_tools() {
	directory=$out/packages/tools-$name
	tools=$directory/root
	private_apt "$directory" "$(dpkg --print-architecture)"
	if ! echo "$*" | cmp -s - "$directory/unpacked"; then
		echo "downloading tools for $name"
		# What is installed here need not come again.
		# shellcheck disable=SC2086
		apt-get $apt -o Dir::State::status=/var/lib/dpkg/status install \
			-y --no-install-recommends --download-only --reinstall \
			"$@" >>"$out/$name.log" 2>&1 ||
			unavailable "$* could not be had, see $out/$name.log"
		unpack_all "$directory" "$tools" &&
			echo "$*" >"$directory/unpacked"
	fi
	PATH=$tools/usr/bin:$PATH
	LD_LIBRARY_PATH=$tools/usr/lib/$(gcc -print-multiarch)
	export PATH LD_LIBRARY_PATH
}

# use_pkg_config TRIPLET: the libraries in $sysroot, and no others.
use_pkg_config() {
	PKG_CONFIG_SYSROOT_DIR=$sysroot
	PKG_CONFIG_LIBDIR=$sysroot/usr/lib/$1/pkgconfig:$sysroot/usr/share/pkgconfig
	export PKG_CONFIG_SYSROOT_DIR PKG_CONFIG_LIBDIR
}
