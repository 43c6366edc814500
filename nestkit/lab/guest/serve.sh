#!/bin/sh
# nestkit-serve PORT COMMAND…: runs a server in this guest, where only the layer outside reaches
# it, and returns when it listens. The network card gets its driver and address with the first.
port=$1
shift
log=/run/nestkit-serve.log
pid=/run/nestkit-serve.pid

# one that was never asked would keep the port
[ -s $pid ] && kill "$(cat $pid)" 2>/dev/null && sleep 0.1
if [ ! -e /sys/class/net/eth0 ]; then
    while read -r module; do insmod "/tools/net/$module.ko"; done </tools/net/order
    ip address add 10.0.2.15/24 dev eth0
fi
ip link set eth0 up
setsid "$@" </dev/null >$log 2>&1 &
echo $! >$pid
hex=$(printf ':%04X' "$port")
tries=0
# a listening socket has state 0A (proc(5))
until awk -v p="$hex$" '$2 ~ p && $4 == "0A" { found = 1 } END { exit !found }' /proc/net/tcp*; do
    tries=$((tries + 1))
    if [ $tries -ge 500 ] || [ ! -e "/proc/$(cat $pid)" ]; then
        cat $log >&2
        exit 1
    fi
    usleep 20000
done
