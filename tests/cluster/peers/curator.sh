#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# curator.sh OUT: compiles Curator.java to OUT, and prints the command that runs it.  Ends
# with 77 and the name of a package of Debian's where one is missing.
set -euo pipefail

case ${1-} in
'' | -h | --help)
	sed -n '3,/^[^#]/s/^# \{0,1\}//p' "$0"
	exit
	;;
esac

here=$(cd "$(dirname "$0")" && pwd)
path=$1
for jar in curator-client curator-framework curator-recipes zookeeper \
	zookeeper-jute slf4j-api slf4j-nop guava; do
	path=$path:/usr/share/java/$jar.jar
done
if [ ! -e /usr/share/java/curator-recipes.jar ]; then
	echo libcurator-recipes-java
	exit 77
fi
if ! command -v javac >/dev/null; then
	echo openjdk-17-jdk-headless
	exit 77
fi
mkdir -p "$1"
javac -cp "$path" -d "$1" "$here/Curator.java"
echo "java -Xmx256m -cp $path Curator"
