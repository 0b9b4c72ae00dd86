#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The scripts that people run: each says what it is for when it is asked, and
# bootstrap and run, on which the others stand, version and history do what they
# promise.  Nothing is installed and nothing built: the tools that bootstrap calls
# are stand-ins.

set -u

case ${1-} in
-h | --help)
	sed -n '3,/^[^#]/s/^# \{0,1\}//p' "$0"
	exit
	;;
esac

top=$(cd "${srcdir:-$(dirname "$0")}/.." && pwd) || exit 1
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM
# shellcheck source=/dev/null
. "${srcdir:-$(dirname "$0")}/expect.sh"

show_more()
{
	cat "$out"
}

out=$tmp/out

# run COMMAND...: its output to $out, its status to $status.
run()
{
	"$@" > "$out" 2>&1 < /dev/null
	status=$?
}

says()
{
	grep -q -e "$1" "$out"
}

silent_about()
{
	! says "$1"
}

last_line_is()
{
	[ "$(tail -n 1 "$out")" = "$1" ]
}

#
# Help
#

for script in "$top"/bootstrap "$top"/build-aux/abi/interface \
    "$top"/build-aux/debian/build "$top"/build-aux/debian/changelog-from \
    "$top"/build-aux/debian/reproducible \
    "$top"/build-aux/history "$top"/build-aux/release "$top"/build-aux/spec \
    "$top"/build-aux/version "$top"/build-aux/wrap \
    "$top"/docs/make-html "$top"/tests/run* "$top"/tests/check_*.sh \
    "$top"/tests/counts/run "$top"/tests/explore/mutants.sh \
    "$top"/tests/failing/run "$top"/tests/fuzz/run \
    "$top"/tests/install/*.sh "$top"/tests/kvd/clients/run \
    "$top"/tests/model/run \
    "$top"/tests/portability/run
do
	for option in -h --help; do
		run timeout 60 sh "$script" $option
		expect "$script $option: ends with 0" is "$status" 0
		expect "$script $option: two lines or more" \
		    [ "$(wc -l < "$out")" -ge 2 ]
	done
done

#
# run
#

mkdir "$tmp/a folder"
cd "$tmp/a folder" || exit 1
cat > check_good << 'END'
#!/bin/sh
echo "Assertion that a child has to fail, failed."
echo "100%: Checks: 3, Failures: 0, Errors: 0"
END
cat > check_bad << 'END'
#!/bin/sh
echo "bad.c:1:F:case:test:0: one is not two"
echo "50%: Checks: 2, Failures: 1, Errors: 0"
exit 1
END
cat > check_skipped.sh << 'END'
echo "skipped: there is no tool for it"
exit 77
END
cat > check_broken << 'END'
#!/bin/sh
exit 3
END
chmod +x check_good check_bad check_broken

run sh "$top/tests/run" check_good ./check_skipped.sh
expect 'tests that pass: 0' is "$status" 0
expect 'tests that pass: what they print is not shown' silent_about Assertion
expect 'tests that pass: it is in check.log' grep -q Assertion check.log
expect 'tests that pass: what was skipped is said' says 'there is no tool'
expect 'tests that pass: the sum' \
    last_line_is '100%: Checks: 3, Failures: 0, Errors: 0'

run sh "$top/tests/run" check_bad check_good
expect 'a test that fails: not 0' is "$status" 1
expect 'a test that fails: why' says 'one is not two'
expect 'a test that fails: nothing of the others' silent_about Assertion
expect 'a test that fails: the sum' \
    last_line_is '80%: Checks: 5, Failures: 1, Errors: 0'
expect 'a test that fails: at the end, and only that' \
    is "$(sed -n '/^== check_bad ended/,$p' "$out" | grep -c .)" 5

run sh "$top/tests/run" check_good check_broken
expect 'a test that ends without a word: not 0' is "$status" 1
expect 'a test that ends without a word: it is named' \
    says 'check_broken ended with status 3'

# Two that wait for each other.
for name in one two; do
	cat > check_$name << END
#!/bin/sh
touch $name.is-there
for try in \$(seq 1000); do
	[ ! -e one.is-there ] || [ ! -e two.is-there ] || break
	sleep 0.05
done
[ "\$try" -lt 1000 ] || exit 1
echo "1 passed, 0 failed"
END
	chmod +x check_$name
done
run env TEST_JOBS=2 sh "$top/tests/run" check_one check_bad check_two check_good
expect 'two at a time: they do run together' says 'check_two .* 1 passed'
expect 'two at a time: the log has all, in their order' is \
    "$(grep '^== ' check.log | tr -d '\n')" \
    '== check_one== check_bad== check_two== check_good'
expect 'two at a time: the sum' \
    last_line_is '85%: Checks: 7, Failures: 1, Errors: 0'

#
# bootstrap, in a folder with a space
#

mkdir "$tmp/bin"
cp "$top/bootstrap" .

# tool NAME: a stand-in that reads its script from stdin.
tool()
{
	{
		echo '#!/bin/sh'
		cat
	} > "$tmp/bin/$1"
	chmod +x "$tmp/bin/$1"
}

for name in cc c++ automake libtoolize git mandoc redis-cli redis-benchmark; do
	tool $name < /dev/null
done
tool pkg-config << 'END'
[ "$2" != "${WITHOUT-}" ]
END
tool autoreconf << 'END'
cat > configure << 'EOT'
#!/bin/sh
i=0
while [ $i -lt 130 ]; do
	echo "checking for thing $i... yes"
	i=$((i + 1))
done
echo "configure: leaving out kvd, which needs zlib"
touch Makefile
exit ${CONFIGURE_STATUS-0}
EOT
chmod +x configure
END
tool make << 'END'
case "$*" in
*--silent*check) echo "== in all" && exit ${CHECK_STATUS-0} ;;
*) echo "  CC       rwlock.lo" && exit ${MAKE_STATUS-0} ;;
esac
END
# Nothing is ever installed here.
tool apt-get << 'END'
echo "E: Unable to locate package"
exit 100
END
tool sudo << 'END'
exec "$@"
END

# bootstrap ARGUMENT...: afresh.
bootstrap()
{
	rm -rf build configure
	run env PATH="$tmp/bin:$PATH" ./bootstrap "$@"
}

bootstrap
expect 'bootstrap: ends with 0' is "$status" 0
expect 'bootstrap: says what it builds' says 'building the library'
expect 'bootstrap: says what was left out' says 'leaving out kvd'
expect 'bootstrap: a few lines' [ "$(wc -l < "$out")" -lt 12 ]
expect 'bootstrap: the rest is in its log' grep -q 'thing 129' build/bootstrap.log

bootstrap check
expect 'bootstrap check: ends with 0' is "$status" 0
expect 'bootstrap check: ends with what the tests say' last_line_is '== in all'

CHECK_STATUS=2
export CHECK_STATUS
bootstrap check
expect 'bootstrap check, failed: ends so' is "$status" 2
expect 'bootstrap check, failed: ends with what the tests say' \
    last_line_is '== in all'

CONFIGURE_STATUS=5
export CONFIGURE_STATUS
bootstrap
expect 'configure fails: ends so' is "$status" 5
expect 'configure fails: its last lines are shown' says 'thing 129'
expect 'configure fails: the log is named' says 'build/bootstrap.log'
unset CONFIGURE_STATUS

MAKE_STATUS=2
export MAKE_STATUS
bootstrap demo
expect 'make fails: ends so' is "$status" 2
expect 'make fails: what it said is shown' says 'rwlock.lo'
unset MAKE_STATUS

WITHOUT=check
export WITHOUT
bootstrap
expect 'without Check: goes on' is "$status" 0
expect 'without Check: says so' says 'going on without .*check'
bootstrap check
expect 'check without Check: stops' is "$status" 1
expect 'check without Check: names it' says 'missing.*: .*check'

WITHOUT=libevent_core
bootstrap
expect 'without libevent: stops' is "$status" 1
expect 'without libevent: names it' says 'missing.*: .*libevent-dev'

bootstrap nonsense
expect 'what is unknown: 2' is "$status" 2
expect 'what is unknown: says how it is called' says '^usage:'

#
# version and history, in a tree of three commits
#

version_is()
{
	run sh "$top/build-aux/version" .
	expect "version: $1" is "$(cat "$out")" "$1"
}

commit()
{
	git -c user.name=Ada -c user.email=ada@example.org commit -q \
	    --allow-empty -m "$1"
}

mkdir -p "$tmp/tree/build-aux" "$tmp/dist"
cd "$tmp/tree" || exit 1
cp "$top/build-aux/version" "$top/build-aux/history" build-aux
printf 'What changed.\n\n1.2.0 (unreleased)\n  o Better.\n\n1.1.0 (2001-02-03)\n' \
    > ChangeLog
version_is 1.2.0.dev0
if command -v git > /dev/null 2>&1; then
	git init -q . 2> /dev/null
	commit 'The first'
	git tag v1.1.0
	version_is 1.1.0
	commit 'The second'
	commit 'The third'
	version_is 1.2.0.dev3
	run sh build-aux/history .
	expect 'history: authors' is "$(cat "$out")" 'Ada <ada@example.org>'
	run sh build-aux/history . "$tmp/dist" 1.2.0.dev2
	expect 'history of another version: 1' is "$status" 1
	run sh build-aux/history . "$tmp/dist" 1.2.0.dev3
	expect 'history: 0' is "$status" 0
	cp "$tmp/dist/ChangeLog" "$out"
	expect 'history: begins with the releases' \
	    is "$(sed -n 3p "$out")" '1.2.0 (unreleased)'
	expect 'history: the commits behind them' says '[*] The second'
	expect 'history: none of the release before' silent_about 'The first'
	cp "$tmp/dist/.tarball-version" .
	version_is 1.2.0.dev3
fi

# A repository without commits: git fails there, and nobody is an author.
if command -v git > /dev/null 2>&1; then
	git init -q "$tmp/empty" 2> /dev/null
	run sh "$top/build-aux/history" "$tmp/empty"
	expect 'history: none to be read, and that is said' [ "$status" -ne 0 ]
fi

#
# wrap
#

mkdir "$tmp/wrap"
cd "$tmp/wrap" || exit 1
echo 'a tarball' > evdefer-1.2.0.tar.xz
address='https://example.org/get?of=a|b&as=c\d&1'
run sh "$top/build-aux/wrap" evdefer-1.2.0.tar.xz far "$address"
expect 'wrap: ends with 0' is "$status" 0
expect 'wrap: the address as it was given' is \
    "$(sed -n 's/^source_url = //p' far/evdefer.wrap)" "$address"
expect 'wrap: no tarball beside it then' \
    [ ! -e far/packagefiles/evdefer-1.2.0.tar.xz ]
run sh "$top/build-aux/wrap" evdefer-1.2.0.tar.xz near
expect 'wrap without an address: ends with 0' is "$status" 0
expect 'wrap without an address: none in it' \
    is "$(grep -c -e source_url -e @ near/evdefer.wrap)" 0
expect 'wrap without an address: the tarball is beside it' \
    cmp evdefer-1.2.0.tar.xz near/packagefiles/evdefer-1.2.0.tar.xz

#
# What the packages have
#

expect 'spec: no file is listed twice' is "$(sed -n '/^%files/,/^%changelog/p' \
    "$top/build-aux/evdefer.spec.in" | grep '^%{' | sort | uniq -d)" ''

# What could not be looked at is not what was found to be well.
mkdir "$tmp/nobody"
printf '#!/bin/sh\necho 1000\n' > "$tmp/nobody/id"
chmod +x "$tmp/nobody/id"
run env PATH="$tmp/nobody:$PATH" sh "$top/tests/install/check_packages.sh" \
    "$tmp/nobody" "$tmp/debs" bookworm
expect 'deb-check without root: 77' is "$status" 77
expect 'deb-check without root: says why' says 'skipped: it needs root'

#
# Debian's changelog, from that of a tarball
#

mkdir -p "$tmp/tarball/build-aux/debian"
cd "$tmp/tarball" || exit 1
cp "$top/build-aux/version" build-aux
cp "$top/build-aux/debian/control" "$top/build-aux/debian/changelog-from" \
    build-aux/debian
cat > ChangeLog << 'END'
What changed.

1.2.0 (unreleased)

 Locks
  o Better in a way that takes a line that is longer than those that Debian likes to see,
    and one more.
 Eyes
  o Seen.

1.1.0 (2001-02-03)

  o The first.

The commits since 1.1.0:

2001-03-05  Ada  <ada@example.org>

    * Not of the releases
2001-03-04  Ada  <ada@example.org>
END
maintainer=$(sed -n 's/^Maintainer: //p' build-aux/debian/control)
cat > "$tmp/expected" << END
evdefer (1.2.0~dev7-1) unstable; urgency=medium

  [ Locks ]
  * Better in a way that takes a line that is longer than those that Debian
    likes to see, and one more.

  [ Eyes ]
  * Seen.

 -- $maintainer  Mon, 05 Mar 2001 00:00:00 +0000

evdefer (1.1.0-1) unstable; urgency=medium

  * The first.

 -- $maintainer  Sat, 03 Feb 2001 00:00:00 +0000
END
echo 1.2.0.dev7 > .tarball-version
if date -u -d 2001-02-03 > "$out" 2>&1; then
	run sh build-aux/debian/changelog-from .
	expect 'changelog-from: as Debian has it' cmp "$tmp/expected" "$out"
fi

#
# What the witness of the members of a cluster makes of one that is stopped
#

# A line that it wrote before, and that came when it went on, is no sign that it ran.
if command -v python3 > /dev/null 2>&1; then
	cat > "$tmp/stopped.py" << 'END'
import sys
sys.path.insert(0, sys.argv[1])
from witness import Witness

for gap in True, False:
    witness = Witness(lambda text: None)
    witness.feed("a", "1.0 grant 1 lock w 5 -")
    witness.feed("b", "5.0 grant 1 lock w 6 -")
    witness.look(6.0)
    witness.feed("a", "1.5 look 1 ok 1")
    witness.feed("a", "7.0 gap 1.6" if gap else "7.0 look 1 ok 1")
    witness.look(8.0)
    assert len(witness.violations) == (0 if gap else 1), witness.violations
END
	run env PYTHONDONTWRITEBYTECODE=1 python3 "$tmp/stopped.py" \
	    "$top/tests/cluster"
	expect 'witness: a stopped member is told from one that ran' \
	    is "$status" 0
fi
if [ -e "$top/.git" ]; then
	sh "$top/build-aux/history" "$top" > "$out"
	expect 'AUTHORS has all of the history' \
	    is "$(grep -cvxFf "$top/AUTHORS" "$out")" 0
fi

finish
