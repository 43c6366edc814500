#!/bin/sh
# The first program of every guest: drivers, the tools disk, then the agent. Whatever ends it
# ends the guest.
#
# A program's start costs its guest some thirty exits, which the third layer feels: what the shell
# can do itself, it does.
export PATH=/tools/bin:/bin HOME=/root LANG=C.UTF-8
mount -a  # /etc/fstab; the root is a tmpfs already
mkdir /dev/shm
ip link set lo up 2>/dev/null

read -r line </proc/cmdline
for word in $line; do
    case $word in nestkit.*) eval "nestkit_${word#nestkit.}" ;; esac
done
echo "L$nestkit_layer" >/proc/sys/kernel/hostname

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
    read -r serial <"$disk/serial"
    ln -s "/dev/${disk##*/}" "/dev/nestkit/$serial"
    # fewer and larger requests: an inner QEMU and kernel are read three times as fast
    [ "$serial" != tools ] || echo 2048 >"$disk/queue/read_ahead_kb"
done
mount -t ext4 -o ro,noatime /dev/nestkit/tools /tools || fail "no tools disk"

tries=0
until [ -e "/dev/nestkit/ctl.$nestkit_layer" ]; do
    for port in /sys/class/virtio-ports/*; do
        read -r name <"$port/name" && ln -sf "/dev/${port##*/}" "/dev/nestkit/$name"
    done
    tries=$((tries + 1))
    [ $tries -lt 500 ] || fail "no control port"
    [ -e "/dev/nestkit/ctl.$nestkit_layer" ] || usleep 10000
done 2>/dev/null

# see kernel_arguments: the start may have counted its own ticks for a clock
clock=/sys/devices/system/clocksource/clocksource0/current_clocksource
read -r now <$clock
[ "$now" != jiffies ] || echo kvm-clock >$clock

nestkit-agent "/dev/nestkit/ctl.$nestkit_layer"
reboot -f
