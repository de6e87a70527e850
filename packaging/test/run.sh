#!/usr/bin/env bash
# Boots the systemd of a Debian root in namespaces of its own, installs Cronfleet there as its documentation says, and tries it out, with a
# reboot in the middle. Touches nothing of this machine. Needs root and a mounted cgroup2; limits are tried where it has controllers.
#
#     run.sh ROOT PROGRAMS [TEST...]     PROGRAMS: directory with cronfleet and cronfleet-shim
set -euo pipefail
here=$(dirname "$(realpath "$0")")
root=$(realpath "$1") programs=$(realpath "$2")
shift 2

export group="$(findmnt -t cgroup2 -n -o TARGET | head -1)/cronfleet-machine-$$"
export root work
work=$(mktemp -d)
mount -t tmpfs cronfleet-machine "$work"
mkdir -p "$group" "$work"/{upper,work,root}

clean() {
    echo 1 >"$group/cgroup.kill"
    wait
    find "$group" -depth -type d -exec rmdir {} +
    umount "$work"
    rmdir "$work"
}
trap clean EXIT

# The first process of the machine; becomes its init.
machine() {
    set -e
    echo 0 >"$group/cgroup.procs"
    mount --make-rprivate /
    mount -t overlay overlay -o "lowerdir=$root,upperdir=$work/upper,workdir=$work/work" "$work/root"
    cd "$work/root"
    mount -t proc proc proc
    # Read-only, so that nobody looks for devices.
    mount -t sysfs sysfs sys -o ro
    mount -t tmpfs tmpfs run -o mode=755
    mount -t tmpfs tmpfs dev -o mode=755
    for device in null zero full random urandom tty; do
        touch "dev/$device"
        mount --bind "/dev/$device" "dev/$device"
    done
    mkdir dev/pts dev/shm
    mount -t devpts devpts dev/pts -o newinstance,ptmxmode=666
    ln -s pts/ptmx dev/ptmx
    hostname machine
    ip link set lo up
    exec unshare --cgroup bash -ec '
        mount -t cgroup2 cgroup2 sys/fs/cgroup
        mkdir -p old && pivot_root . old && umount -l /old
        exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin /sbin/init'
}
export -f machine

init() { head -n 1 "$group/init.scope/cgroup.procs" 2>/dev/null; }

inside() {
    nsenter --target "$(init)" --mount --pid --cgroup --uts --ipc --net --root --wd \
        env -i HOME=/root TERM=dumb PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
}

is_up() { [ -n "$(init)" ] && [[ "$(inside systemctl is-system-running 2>/dev/null)" =~ ^(running|degraded)$ ]]; }

boot() {
    unshare --mount --pid --fork --uts --ipc --net bash -c machine </dev/null >"$work/init.log" 2>&1 &
    machine=$!
    local deadline=$((SECONDS + 60))
    until is_up; do
        [ $SECONDS -lt $deadline ] || { cat "$work/init.log"; inside systemctl list-jobs || true; echo 'FAIL  systemd does not come up'; exit 1; }
        sleep 0.2
    done
}

# Asks systemd to power off, which ends the last process of the machine.
reboot() {
    kill -s RTMIN+4 "$(init)"
    wait $machine || true
    find "$group" -mindepth 1 -depth -type d -exec rmdir {} +
    boot
}

mkdir -p "$work/upper/usr/local/bin" "$work/upper/opt/test" "$work/upper/etc"
install -m 755 "$programs"/cronfleet "$programs"/cronfleet-shim "$work/upper/usr/local/bin/"
cp -r "$here/.." "$work/upper/opt/test/packaging"
tr -d - </proc/sys/kernel/random/uuid >"$work/upper/etc/machine-id"

boot
inside systemctl --version | head -n 1
[ $# -gt 0 ] || set -- install limits kill survival center before-reboot after-reboot
for test in "$@"; do
    [ "$test" != after-reboot ] || reboot
    echo "== $test"
    begun=$SECONDS
    inside bash "/opt/test/packaging/test/$test.sh" || { echo "FAIL  $test"; exit 1; }
    echo "== $test: $((SECONDS - begun)) s"
done
echo 'everything is as it should be'
