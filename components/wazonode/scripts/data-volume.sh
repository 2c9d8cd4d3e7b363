#!/bin/sh
# Mount an EBS volume for good, and format it if it is blank. Usage: calldata-data-volume VOLUME-ID DIRECTORY
# The volume is attached after the machine has begun to boot, and only once a machine before this one has let it go.
# CALLDATA_ROOT goes before the paths of the system; for tests.
set -eu
volume=$1
dir=$2
root=${CALLDATA_ROOT:-}
# Source: Amazon EBS User Guide, "Map NVMe disks to volumes": the serial number is the volume's id without its hyphen.
device=/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol${volume#vol-}

fail() {
  echo "calldata-data-volume: $volume: $*" >&2
  exit 1
}

tries=0
until mountpoint -q "$dir" || [ -e "$root$device" ]; do
  tries=$((tries + 1))
  [ "$tries" -le 360 ] || fail "it was not attached within 30 minutes"
  sleep 5
done
if mountpoint -q "$dir"; then
  exit 0
fi

# blkid looks at the disk itself: 0 says that it knows what is there, 2 that it found nothing it knows.
found=0
blkid --probe "$root$device" >/dev/null || found=$?
case $found in
0) ;;
2)
  # Unknown is not blank: a new EBS volume reads as zeros.
  cmp -s -n 4194304 "$root$device" /dev/zero || fail "it holds data that is no file system, or cannot be read: it was not formatted"
  mkfs.ext4 -q -L calldata-data "$root$device"
  ;;
*) fail "blkid does not know what it holds (code $found): it was not formatted" ;;
esac

if ! grep -qF " $dir " "$root/etc/fstab"; then
  # nofail: without its disk the machine must still boot to be looked at. PostgreSQL's unit requires the mount by itself.
  echo "$device $dir ext4 defaults,nofail,x-systemd.growfs,x-systemd.device-timeout=5min 0 2" >>"$root/etc/fstab"
fi
mkdir -p "$root$dir"
systemctl daemon-reload
mount "$dir"
