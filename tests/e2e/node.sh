#!/bin/sh
# Process 1 of a node: gives it a view of the machine of its own, then waits. All of it ends with this process: its
# mounts, its network if it has one, and every container. Whatever the node writes is in its folder.
#
#   node.sh FOLDER [SOURCE TARGET]…    FOLDER: the node's; then what is bound over the machine's own, in this order
set -eu
node=$1
shift

mount --make-rshared / # what a container mounts for its host is seen by the kubelet, and by nobody outside
for place in etc opt var; do
  mkdir -p "$node/upper/$place" "$node/work/$place"
  mount -t overlay overlay -o "lowerdir=/$place,upperdir=$node/upper/$place,workdir=$node/work/$place" "/$place"
done
mount -t tmpfs -o mode=0755 tmpfs /run
mkdir /run/netns

# An overlay has no size that a kubelet could tell, and both hold what is to be read when something failed.
for place in lib/kubelet log/pods log/containers; do
  mkdir -p "$node/$place" "/var/$place"
  mount --bind "$node/$place" "/var/$place"
done

# A kubelet sets these of the kernel, which is not its own: it finds them set.
while read -r name value; do
  [ -e "/proc/sys/$name" ] || continue
  mkdir -p "$node/sysctl/${name%/*}"
  echo "$value" >"$node/sysctl/$name"
  mount --bind "$node/sysctl/$name" "/proc/sys/$name"
done <<END
vm/overcommit_memory 1
vm/panic_on_oom 0
kernel/panic 10
kernel/panic_on_oops 1
kernel/keys/root_maxkeys 1000000
kernel/keys/root_maxbytes 25000000
END

while [ $# -gt 0 ]; do
  [ ! -d "$1" ] || [ -d "$2" ] || mkdir -p "$2"
  mount --rbind "$1" "$2"
  shift 2
done

ip link set lo up
touch "$node/up"
while :; do # and takes in orphans
  sleep 1 &
  wait
done
