#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# servers.sh [-n] run COUNT COMMAND...: starts COUNT servers of ZooKeeper, runs the
# command, and ends them, whatever happens.  They need nothing of the system but java and
# Debian's zookeeper: their ports are free ones of loopback, all they write is in a folder
# of their own.  Ends as the command does; with 77 where java or the jar is missing.
#
# The command finds in its environment
#   SERVERS       "127.0.0.1:12345,...", as a client takes it
#   SERVERS_DIR   the folder, which is removed at the end
#   SERVERS_CUT   "yes" if members and servers can be cut off
#   SERVERS_SH    this script, which it may call with
#
#   address WHICH        that of a server
#   leader | followers   which server, or servers, it is
#   kill WHICH           with SIGKILL
#   pause WHICH          with SIGSTOP
#   resume WHICH         with SIGCONT
#   start WHICH          again, after kill
#   wait WHICH           until it serves
#   ask WHICH WORD       srvr, mntr, cons, ...: what it says
#   in NAME COMMAND...   runs it on a machine of its own, if machines can be cut off
#   cut NAME             from everybody: a machine, or s1, s2, s3
#   mend NAME
#   part NAME NAME       from each other
#   join NAME NAME
#
# WHICH is a number from 1 on, "leader", "followers" or "all".
#
# With -n each server and each NAME of "in" is in a network namespace of its own, where
# they may be made; where not, it says so on standard error.
#
# From the environment: SERVERS_TICK (500 ms), SERVERS_PATIENCE (120 s to start),
# SERVERS_CONTAINERS (60000 ms between looks for containers that are empty).
set -euo pipefail

case ${1-} in
'' | -h | --help)
	sed -n '3,/^[^#]/s/^# \{0,1\}//p' "$0"
	exit
	;;
esac

SKIPPED=77
JARS=/usr/share/java
me=$(cd "$(dirname "$0")" && pwd)/${0##*/}

die() {
	echo "servers: $*" >&2
	exit 1
}

skip() {
	echo "skipped: $*"
	exit $SKIPPED
}

# alive PID: a zombie is not.
alive() {
	local stat
	{ stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 1
	stat=${stat##*) }
	[ "${stat%% *}" != Z ]
}

# pid_of NAME: nothing if it has ended.
pid_of() {
	local pid
	{ pid=$(<"$SERVERS_DIR/$1.pid"); } 2>/dev/null || return 0
	! alive "$pid" || echo "$pid"
}

# until_true SECONDS COMMAND...
until_true() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.1
	done
}

#
# Ports and addresses
#

# Below those that the system gives to clients.
free_port() {
	local port hex
	while :; do
		port=$((10000 + RANDOM % 20000))
		printf -v hex ':%04X ' "$port"
		! grep -qF "$hex" /proc/net/tcp /proc/net/tcp6 2>/dev/null &&
			[[ " $ports " != *" $port "* ]] && break
	done
	ports="$ports $port"
	echo "$port"
}

address() {
	sed -n "${1}p" "$SERVERS_DIR/addresses"
}

# Each line: host, its three ports.
choose_addresses() {
	local i ports=
	for ((i = 1; i <= COUNT; i++)); do
		if [ -n "$SERVERS_CUT" ]; then
			echo "10.77.0.$i 2181 2888 3888"
			continue
		fi
		echo "127.0.0.1 $(free_port) $(free_port) $(free_port)"
	done >"$SERVERS_DIR/ports"
	sed 's/^\([^ ]*\) \([^ ]*\) .*/\1:\2/' "$SERVERS_DIR/ports" \
		>"$SERVERS_DIR/addresses"
}

#
# Network namespaces: one for all of it, with a bridge, to which each machine is
# connected.  They go with the last process in them.
#

BRIDGE=evbridge

# into_namespace ARGUMENT...: this script again, in it; returns if that can't be.
into_namespace() {
	local how
	for how in -n -Urn; do
		unshare $how sh -c "ip link add name $BRIDGE type bridge &&
			ip link add name evtry type veth peer name evtry1" \
			2>/dev/null || continue
		# shellcheck disable=SC2093 # the other may not come to this
		SERVERS_INSIDE=yes exec unshare $how "$me" -n "$@"
	done
}

make_bridge() {
	ip link set lo up
	ip link add name $BRIDGE type bridge
	ip addr add 10.77.0.254/24 dev $BRIDGE
	ip link set $BRIDGE up
}

is_another_net() {
	[ "$(readlink "/proc/$1/ns/net")" != "$(readlink /proc/self/ns/net)" ]
}

# machine NAME IP
machine() {
	local pid
	unshare -n sleep infinity </dev/null >/dev/null 2>&1 &
	pid=$!
	disown
	until_true 10 is_another_net $pid || die "no namespace for $1"
	ip link add name "ev$1" type veth peer name eth0 netns $pid
	ip link set "ev$1" master $BRIDGE up
	nsenter -t $pid -n ip link set lo up
	nsenter -t $pid -n ip addr add "$2/24" dev eth0
	nsenter -t $pid -n ip link set eth0 up
	echo "$2" >"$SERVERS_DIR/$1.ip"
	echo $pid >"$SERVERS_DIR/$1.net.pid"
}

# net_of NAME
net_of() {
	pid_of "$1.net"
}

# on NAME COMMAND...: there, in place of this shell.
on() {
	local pid
	pid=$(net_of "$1")
	shift
	[ -z "$pid" ] || exec nsenter -t "$pid" -n "$@"
	exec "$@"
}

in_machine() {
	local count
	if [ -n "$SERVERS_CUT" ] && [ -z "$(net_of "$1")" ]; then
		# One at a time, for the numbers.
		exec 9>"$SERVERS_DIR/machines"
		flock 9
		count=$(find "$SERVERS_DIR" -name '*.ip' | wc -l)
		machine "$1" "10.77.0.$((count + 1))" 9>&-
		exec 9>&-
	fi
	on "$@"
}

# All that is sent to a machine that is not there gets lost, silently.
NOBODY=02:00:00:00:00:01

# divert A B: what A sends to B.
divert() {
	nsenter -t "$(net_of "$1")" -n ip neigh replace \
		"$(<"$SERVERS_DIR/$2.ip")" lladdr $NOBODY dev eth0 nud permanent
}

undivert() {
	nsenter -t "$(net_of "$1")" -n ip neigh del \
		"$(<"$SERVERS_DIR/$2.ip")" dev eth0
}

need_cut() {
	[ -n "$SERVERS_CUT" ] || die "nobody can be cut off here"
}

#
# Servers
#

configure() {
	local i host peer election
	mkdir "$SERVERS_DIR/$1"
	cat >"$SERVERS_DIR/$1/zoo.cfg" <<-END
		tickTime=${SERVERS_TICK:-500}
		minSessionTimeout=1000
		maxSessionTimeout=60000
		initLimit=20
		syncLimit=6
		dataDir=$SERVERS_DIR/$1
		clientPortAddress=$(sed -n "${1}s/ .*//p" "$SERVERS_DIR/ports")
		clientPort=$(sed -n "${1}p" "$SERVERS_DIR/ports" | cut -d ' ' -f 2)
		maxClientCnxns=0
		admin.enableServer=false
		4lw.commands.whitelist=*
	END
	[ "$COUNT" -gt 1 ] || return 0
	echo "$1" >"$SERVERS_DIR/$1/myid"
	i=0
	while read -r host _ peer election; do
		i=$((i + 1))
		echo "server.$i=$host:$peer:$election"
	done <"$SERVERS_DIR/ports" >>"$SERVERS_DIR/$1/zoo.cfg"
}

start() {
	[ -z "$(pid_of "$1")" ] || die "$1 runs"
	(on "s$1" java -Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
		-Dorg.slf4j.simpleLogger.defaultLogLevel=warn \
		-Dznode.container.checkIntervalMs="${SERVERS_CONTAINERS:-60000}" \
		-cp "$JARS/zookeeper.jar:$JARS/slf4j-simple.jar" \
		org.apache.zookeeper.server.quorum.QuorumPeerMain \
		"$SERVERS_DIR/$1/zoo.cfg") \
		</dev/null >>"$SERVERS_DIR/$1/log" 2>&1 &
	echo $! >"$SERVERS_DIR/$1.pid"
	disown
}

# ask WHICH WORD: nothing from one that does not answer.
ask() {
	local at
	at=$(address "$1")
	# shellcheck disable=SC2016 # for the other shell
	timeout 2 bash -c 'exec 3<>"/dev/tcp/$1/$2" && printf %s "$3" >&3 &&
		cat <&3' - "${at%:*}" "${at##*:}" "$2" 2>/dev/null || :
}

mode() {
	ask "$1" srvr | sed -n 's/^Mode: //p'
}

serves() {
	[ -n "$(mode "$1")" ]
}

serves_or_ended() {
	[ -z "$(pid_of "$1")" ] || serves "$1"
}

wait_for() {
	until_true "${SERVERS_PATIENCE:-120}" serves_or_ended "$1" || :
	serves "$1" && return
	tail -n 20 "$SERVERS_DIR/$1/log" >&2
	die "server $1 does not serve"
}

numbers() {
	seq "$(wc -l <"$SERVERS_DIR/addresses")"
}

# Standing alone is leading, too.
by_mode() {
	local i
	for i in $(numbers); do
		[[ " $* " != *" $(mode "$i") "* ]] || echo "$i"
	done
}

which() {
	case $1 in
	all) numbers ;;
	leader) by_mode leader standalone ;;
	followers) by_mode follower ;;
	[1-9]) echo "$1" ;;
	*) die "$1: which server is that?" ;;
	esac
}

signal_to() {
	local pid
	pid=$(pid_of "$2")
	[ -z "$pid" ] || kill -s "$1" "$pid"
}

has_ended() {
	[ -z "$(pid_of "$1")" ]
}

kill_server() {
	signal_to KILL "$1"
	until_true 10 has_ended "$1" || die "server $1 does not end"
}

#
# All of it
#

end_all() {
	local file pid
	trap - EXIT
	for file in "$SERVERS_DIR"/*.pid; do
		[ -e "$file" ] || continue
		pid=$(pid_of "$(basename "$file" .pid)")
		[ -z "$pid" ] || kill -s KILL "$pid" 2>/dev/null || :
	done
	rm -rf "$SERVERS_DIR"
	exit "$1"
}

run() {
	local i command status=0
	COUNT=$1
	shift
	SERVERS_DIR=$(mktemp -d "${TMPDIR:-/tmp}/servers.XXXXXX")
	export SERVERS_DIR SERVERS_CUT SERVERS_SH=$me
	trap 'end_all $?' EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
	choose_addresses
	for i in $(numbers); do
		[ -z "$SERVERS_CUT" ] || machine "s$i" "10.77.0.$i"
		configure "$i"
		start "$i"
	done
	for i in $(numbers); do
		wait_for "$i"
	done
	SERVERS=$(paste -sd, "$SERVERS_DIR/addresses")
	export SERVERS
	# A shell hears of signals while it waits for a job.
	"$@" <&0 &
	command=$!
	trap 'kill -s TERM $command 2>/dev/null; exit 130' INT
	trap 'kill -s TERM $command 2>/dev/null; exit 143' TERM HUP
	wait $command || status=$?
	exit $status
}

begin() {
	command -v java >/dev/null || skip "there is no java (default-jre-headless)"
	[ -r $JARS/zookeeper.jar ] ||
		skip "there is no $JARS/zookeeper.jar (zookeeper)"
	[ -r $JARS/slf4j-simple.jar ] ||
		skip "there is no $JARS/slf4j-simple.jar (libslf4j-java)"
	[ $# -ge 2 ] || die "run COUNT COMMAND..."
	run "$@"
}

SERVERS_CUT=${SERVERS_CUT-}
if [ "$1" = -n ]; then
	shift
	if [ -z "${SERVERS_INSIDE-}" ]; then
		into_namespace "$@"
		echo "servers: no network namespaces may be made here: nobody is cut off" >&2
	else
		make_bridge
		SERVERS_CUT=yes
	fi
elif [ "${1-}" = run ]; then
	SERVERS_CUT=
fi
if [ "$1" = run ]; then
	shift
	begin "$@"
fi
[ -n "${SERVERS_DIR-}" ] || die "no servers run: servers.sh run COUNT COMMAND..."
what=$1
shift
case $what in
leader | followers) which "$what" ;;
in) in_machine "$@" ;;
cut) need_cut && ip link set "ev$1" nomaster ;;
mend) need_cut && ip link set "ev$1" master $BRIDGE ;;
part) need_cut && divert "$1" "$2" && divert "$2" "$1" ;;
join) need_cut && undivert "$1" "$2" && undivert "$2" "$1" ;;
ask) ask "$(which "$1")" "$2" ;;
address | kill | pause | resume | start | wait)
	for server in $(which "$1"); do
		case $what in
		address) address "$server" ;;
		kill) kill_server "$server" ;;
		pause) signal_to STOP "$server" ;;
		resume) signal_to CONT "$server" ;;
		start) start "$server" ;;
		wait) wait_for "$server" ;;
		esac
	done
	;;
*) die "$what: not known; servers.sh --help" ;;
esac
