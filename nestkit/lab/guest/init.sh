#!/bin/sh
# The first program of every guest: drivers, the tools disk, then the agent. Whatever ends it
# ends the guest.
export PATH=/tools/bin:/bin HOME=/root LANG=C.UTF-8
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs tmp /tmp
mount -t tmpfs run /run
mkdir -p /dev/shm && mount -t tmpfs shm /dev/shm
ip link set lo up 2>/dev/null

for word in $(cat /proc/cmdline); do
    case $word in nestkit.*) eval "nestkit_${word#nestkit.}" ;; esac
done
hostname "L$nestkit_layer"

if [ "$nestkit_trial" ]; then
    # only asked whether this accelerator runs a guest, and whether that guest could run guests
    grep -qwE 'svm|vmx' /proc/cpuinfo && echo nestkit-trial-nesting || echo nestkit-trial-plain
    reboot -f
fi

while read -r module; do insmod "/modules/$module"; done < /modules/order

fail() { echo "nestkit: $1"; reboot -f; }
wait_for() {
    tries=0
    until [ -e "$1" ]; do
        tries=$((tries + 1))
        [ $tries -lt 500 ] || fail "no $1"
        usleep 10000
    done
}

# disks and ports are known by name: their order is the hypervisor's own affair
wait_for /sys/block/vdb
mkdir -p /dev/nestkit
for disk in /sys/block/vd?; do
    ln -s "/dev/${disk##*/}" "/dev/nestkit/$(cat "$disk/serial")"
done
mount -t ext4 -o ro,noatime /dev/nestkit/tools /tools || fail "no tools disk"

tries=0
until [ -e "/dev/nestkit/ctl.$nestkit_layer" ]; do
    for port in /sys/class/virtio-ports/*; do
        [ -s "$port/name" ] && ln -sf "/dev/${port##*/}" "/dev/nestkit/$(cat "$port/name")"
    done
    tries=$((tries + 1))
    [ $tries -lt 500 ] || fail "no control port"
    [ -e "/dev/nestkit/ctl.$nestkit_layer" ] || usleep 10000
done 2>/dev/null

nestkit-agent "/dev/nestkit/ctl.$nestkit_layer"
reboot -f
