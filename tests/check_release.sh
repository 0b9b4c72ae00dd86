#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What does 'make release' refuse?  In a small repository of its own, whose only
# commit is a release as it should be, but for one thing each time.  srcdir comes from
# make.  Needs git, and no build.

set -u

case ${1-} in
-h | --help)
	sed -n '3,/^[^#]/s/^# \{0,1\}//p' "$0"
	exit
	;;
esac
top=$(cd "${srcdir:-$(dirname "$0")}/.." && pwd) || exit 1

command -v git >/dev/null || {
	echo "skipped: there is no git"
	exit 77
}

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM
# shellcheck source=/dev/null
. "${srcdir:-$(dirname "$0")}/expect.sh"
tree=$tmp/tree
GIT_CONFIG_GLOBAL=/dev/null
GIT_CONFIG_NOSYSTEM=1
export GIT_CONFIG_GLOBAL GIT_CONFIG_NOSYSTEM

in_tree()
{
	git -C "$tree" -c user.name=Ada -c user.email=ada@example.org "$@"
}

# As a release should be.
begin()
{
	rm -rf "$tree"
	mkdir -p "$tree/build-aux/abi"
	cp "$top/build-aux/release" "$top/build-aux/history" "$top/build-aux/version" \
	    "$tree/build-aux"
	printf 'What changed.\n\n1.2.0 (2001-02-03)\n  o Better.\n\n1.1.0 (2000-01-02)\n' \
	    >"$tree/ChangeLog"
	echo 'Ada <ada@example.org>' >"$tree/AUTHORS"
	echo 'AC_SUBST([EVDEFER_LTVERSION], [3:0:1])' >"$tree/configure.ac"
	echo '1.2.0 3:0:1' >"$tree/build-aux/abi/version"
	git init -q "$tree" 2>/dev/null
	commit
}

commit()
{
	in_tree add --all
	in_tree commit -q --allow-empty -m 'Release'
	in_tree tag --force v1.2.0 >/dev/null
}

release()
{
	sh "$tree/build-aux/release" "$tree" "$@" >"$tmp/out" 2>&1
}

show_more()
{
	cat "$tmp/out"
}

says()
{
	grep -q -e "$1" "$tmp/out"
}

# refuses PATTERN VERSION CONFIGURED
refuses()
{
	! release "$2" "$3" && says "$1" && [ "$(grep -c '^release: ' "$tmp/out")" -eq 1 ]
}

fails()
{
	! release 1.2.0 1.2.0
}

# refused WHAT PATTERN [VERSION [CONFIGURED]]: for that reason, and for no other.
refused()
{
	expect "$1" refuses "$2" "${3-1.2.0}" "${4-${3-1.2.0}}"
}

begin
expect 'a release as it should be' release 1.2.0 1.2.0

refused 'what is no release' 'make release VERSION=' 1.2.0.dev7
refused 'what is no version' 'is no release' next
refused 'configured as another one' 'was made for 1.2.0.dev7' 1.2.0 1.2.0.dev7

begin
echo 'int more;' >"$tree/more.c"
refused 'a file that is not committed' more.c

begin
echo >>"$tree/ChangeLog"
refused 'a change that is not committed' 'M ChangeLog'

begin
sed 's/2001-02-03/unreleased/' "$tree/ChangeLog" >"$tmp/new"
cp "$tmp/new" "$tree/ChangeLog"
commit
refused 'no date' 'no date for 1.2.0, but: 1.2.0 (unreleased)'

begin
sed 's/1\.2\.0/1.3.0/' "$tree/ChangeLog" >"$tmp/new"
cp "$tmp/new" "$tree/ChangeLog"
commit
refused 'another release in ChangeLog' 'does not begin with 1.2.0, but: 1.3.0'

begin
in_tree tag --delete v1.2.0 >/dev/null
refused 'no tag' 'git tag --annotate v1.2.0'
in_tree commit -q --allow-empty -m 'One more'
in_tree tag v1.2.0 HEAD~
refused 'the tag of another commit' 'is on another commit'

begin
in_tree tag --delete v1.2.0 >/dev/null
in_tree branch v1.2.0
refused 'a branch that has the name of the tag' 'there is no tag v1.2.0'

begin
echo 'AC_SUBST([EVDEFER_LTVERSION], [4:0:2])' >"$tree/configure.ac"
commit
refused 'another libtool version' 'is for 1.2.0 3:0:1, and the release 1.2.0 4:0:2'

begin
echo '1.1.0 3:0:1' >"$tree/build-aux/abi/version"
commit
refused 'the interface of the release before' "abi is for 1.1.0 .*"

begin
rm "$tree/build-aux/abi/version"
commit
refused 'no interface' "abi is for nothing"

begin
echo 'Bob <bob@example.org>' >"$tree/AUTHORS"
commit
refused 'an author who is not named' 'Ada <ada@example.org>'

begin
rm "$tree/AUTHORS"
commit
refused 'no AUTHORS' 'AUTHORS could not be compared'

begin
printf '#!/bin/sh\nexit 1\n' >"$tree/build-aux/history"
commit
expect 'a history that cannot be read' fails

begin
rm -rf "$tree/.git"
refused 'a tarball' 'in a clone'

# All at once, so that one run tells all that is to be done.
begin
sed 's/2001-02-03/unreleased/' "$tree/ChangeLog" >"$tmp/new"
cp "$tmp/new" "$tree/ChangeLog"
! release 1.2.0 1.2.0.dev3
for pattern in 'not committed' 'no date' 'was made for'; do
	expect "several things: $pattern" says "$pattern"
done

finish
