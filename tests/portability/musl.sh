# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC2034,SC2154 # of run
#
# Part of run: a C compiler for musl, and the libraries that the tests need,
# built with it from Debian's sources.

# from_source PACKAGE COMMAND...: unpacks the original source, runs the command
# in it.
from_source() {
	package=$1
	shift
	[ -f "$directory/$package.built" ] && return
	echo "building $package for musl"
	rm -rf "${directory:?}/$package"
	mkdir "$directory/$package"
	# shellcheck disable=SC2086
	(cd "$directory" && apt-get $apt source --download-only "$package") \
		>>"$out/$name.log" 2>&1 ||
		unavailable "the source of $package could not be had"
	tar -x -f "$(echo "$directory/$package"_*.orig.tar.*)" \
		-C "$directory/$package" --strip-components=1
	(cd "$directory/$package" && "$@") >>"$out/$name.log" 2>&1 ||
		broken "$package does not build"
	touch "$directory/$package.built"
}

with_configure() {
	CC=$musl_cc CFLAGS=-O2 ./configure --prefix="$musl" "$@" &&
		make -j "$(nproc)" && make install
}

# Where the source is without a configure.
with_autoreconf() {
	autoreconf --force --install && with_configure "$@"
}

with_make() {
	make -j "$(nproc)" CC="$musl_cc" PREFIX="$musl" install
}

# Sets musl_cc, and pkg-config for its libraries.
musl_libraries() {
	unpack_tools musl-tools uthash-dev
	unset LD_LIBRARY_PATH
	musl=$directory/musl
	libc=$tools/lib/x86_64-linux-musl
	specs=$directory/musl-gcc.specs
	sed "s,/usr/\(lib\|include\)/x86_64-linux-musl,$tools&,g
		s,/lib/ld-musl-x86_64.so.1,$libc/libc.so,
		s,^-L,-L$libc -L," \
		"$tools/usr/lib/x86_64-linux-musl/musl-gcc.specs" >"$specs"
	# As Debian's, whose paths are fixed.
	musl_cc=$directory/musl-gcc
	printf '#!/bin/sh\nexec gcc "$@" -specs=%s\n' "$specs" >"$musl_cc"
	chmod +x "$musl_cc"
	from_source libevent with_configure --disable-openssl --disable-samples \
		--disable-static --disable-libevent-regress
	from_source check with_configure --disable-subunit --disable-build-docs \
		--disable-timeout-tests
	from_source hiredis with_make
	from_source zlib with_configure
	from_source libsodium with_autoreconf --disable-static
	cp "$tools"/usr/include/ut*.h "$musl/include"
	PKG_CONFIG_LIBDIR=$musl/lib/pkgconfig
	export PKG_CONFIG_LIBDIR
}
