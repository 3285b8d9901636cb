import errno

import pytest

from nicfleet.inventory import Unread
from tests.host_tree import HostTree
from tests.unit.agent.looking import NAME, look


def test_identity(tree: HostTree) -> None:
    node = look(tree).node
    assert (node.name, node.boot_id) == (NAME, "3f1c2a9e-7d64-4b07-9a53-0c4ae51d8b11")
    assert (node.os_id, node.os_version_id, node.kernel_release) == ("ubuntu", "22.04", "6.8.0-60-generic")
    assert node.architecture == "x86_64"


@pytest.mark.parametrize(
    ("content", "os_id", "version"),
    [
        pytest.param('ID=ubuntu\nVERSION_ID="22.04"\n', "ubuntu", "22.04", id="double quotes"),
        pytest.param("ID='rhel'\nVERSION_ID='9.4'", "rhel", "9.4", id="single quotes, no newline at the end"),
        pytest.param("# ID=no\n\nID=sles \n", "sles", None, id="comment, padding, no version"),
        pytest.param('ID=\nVERSION_ID=""', None, None, id="empty says nothing"),
        pytest.param('ID="a\\"b"', 'a"b', None, id="escape"),
        pytest.param("ID=a\x07b", None, None, id="control character"),
    ],
)
def test_os_release(tree: HostTree, content: str, os_id: str | None, version: str | None) -> None:
    tree.write("usr/lib/os-release", content.encode())
    node = look(tree).node
    assert (node.os_id, node.os_version_id) == (os_id, version)


def test_os_release_in_usr_serves_where_etc_has_none(tree: HostTree) -> None:
    tree.remove("etc/os-release")
    assert look(tree).node.os_id == "ubuntu"


def test_an_unknown_architecture_is_not_that_of_this_machine(tree: HostTree) -> None:
    tree.remove("proc/sys/kernel/arch")
    assert look(tree).node.architecture is None


NVME = "sys/devices/pci0000:00/0000:00:1d.0/nvme/nvme0/nvme0n1"


def _block(tree: HostTree, number: str, path: str) -> None:
    (tree.root / path).mkdir(parents=True, exist_ok=True)
    tree.link(f"sys/dev/block/{number}", path)
    tree.link(f"sys/class/block/{path.rpartition('/')[2]}", path)


@pytest.mark.parametrize(
    ("mounts", "expected"),
    [
        pytest.param("25 1 8:2 / / rw - ext4 /dev/sda2 rw", False, id="SATA"),
        pytest.param("25 1 259:3 / / rw shared:1 - xfs /dev/nvme0n1p2 rw", True, id="NVMe partition"),
        pytest.param("25 1 253:0 / / rw - ext4 /dev/mapper/vg-root rw", True, id="LVM on NVMe"),
        pytest.param("25 1 9:1 / / rw - ext4 /dev/md0p1 rw", True, id="partition of an MD on NVMe"),
        pytest.param("25 1 253:1 / / rw - ext4 /dev/mapper/loop rw", False, id="device-mapper upon itself"),
        pytest.param("25 1 0:31 /@ / rw - btrfs /dev/nvme0n1p2 rw", True, id="btrfs has no device number of its own"),
        pytest.param(
            "25 1 0:31 / / rw - overlay composefs ro\n26 25 8:2 / /sysroot rw - xfs /dev/sda2 rw", False, id="ostree"
        ),
        pytest.param(
            "24 1 8:2 / / rw - ext4 /dev/sda2 rw\n25 1 259:3 / / rw - xfs /dev/nvme0n1p2 rw",
            True,
            id="the later mount hides",
        ),
        pytest.param("25 1 0:31 / / rw - nfs4 server:/root rw", None, id="network"),
        pytest.param("25 1 8:2 / /boot rw - ext4 /dev/sda2 rw", None, id="no root"),
        pytest.param("odd", None, id="no mountinfo"),
    ],
)
def test_root_on_nvme(tree: HostTree, mounts: str, expected: bool | None) -> None:
    _block(tree, "259:3", f"{NVME}/nvme0n1p2")
    virtual = "sys/devices/virtual/block"
    _block(tree, "253:0", f"{virtual}/dm-0")
    _block(tree, "253:1", f"{virtual}/dm-1")
    _block(tree, "9:1", f"{virtual}/md0/md0p1")
    tree.link(f"{virtual}/dm-0/slaves/nvme0n1p2", f"{NVME}/nvme0n1p2")
    tree.link(f"{virtual}/dm-1/slaves/dm-1", f"{virtual}/dm-1")
    tree.write(f"{virtual}/md0/md0p1/partition", "1")
    tree.link(f"{virtual}/md0/slaves/dm-0", f"{virtual}/dm-0")
    tree.write("proc/1/mountinfo", mounts)
    assert look(tree).node.root_on_nvme is expected


def test_own_mounts_serve_where_those_of_init_are_hidden(tree: HostTree) -> None:
    tree.remove("proc/1")
    tree.write("proc/77/mountinfo", "25 1 8:2 / / rw - ext4 /dev/sda2 rw")
    tree.link("proc/self", "proc/77")
    seen = look(tree)
    assert (seen.node.root_on_nvme, seen.node.unread) == (False, ())


def test_mounts_of_init_that_could_not_be_read_are_named_although_our_own_serve(tree: HostTree) -> None:
    tree.write("proc/1/mountinfo", "25 1 259:3 / / rw - xfs /dev/nvme0n1p2 rw")
    tree.write("proc/77/mountinfo", "25 1 8:2 / / rw - ext4 /dev/sda2 rw")
    tree.link("proc/self", "proc/77")
    seen = look(tree, errnos={"proc/1/mountinfo": errno.EACCES})
    assert (seen.node.root_on_nvme, seen.node.unread) == (False, (Unread("proc/1/mountinfo", errno.EACCES),))


def test_registration_directories(tree: HostTree) -> None:
    tree.remove("var/lib/kubelet/plugins_registry")
    assert look(tree).node.plugin_directories == ("/var/lib/kubelet/device-plugins",)


def test_registration_directories_that_pods_made_are_none_of_the_kubelets(tree: HostTree) -> None:
    """A mount of what does not exist makes a directory; a kubelet whose socket was deleted hears nothing of it."""
    tree.remove("var/lib/kubelet/device-plugins/kubelet.sock")
    assert look(tree).node.plugin_directories == ()


def test_a_socket_that_may_not_be_seen_is_not_absent(tree: HostTree) -> None:
    """SELinux hides from a confined agent what is in the directory, and says so."""
    path = "var/lib/kubelet/device-plugins/kubelet.sock"
    tree.remove(path)
    seen = look(tree, errnos={path: errno.EACCES}).node
    assert seen.plugin_directories == ("/var/lib/kubelet/device-plugins", "/var/lib/kubelet/plugins_registry")
    assert seen.unread == (Unread(path, errno.EACCES),)


def test_cni_directories(tree: HostTree) -> None:
    """What is absent is told apart from what is denied, and nothing is told of what was not asked for."""
    tree.write("etc/cni/net.d/10-flannel.conflist", "{}")
    asked = ("/opt/cni/bin", "/etc/cni/net.d", "/srv/cni/bin")

    seen = look(tree, errnos={"srv/cni/bin": errno.EACCES}, cni_directories=asked).node

    assert seen.absent_cni_directories == ("/opt/cni/bin",)
    assert seen.unread == (Unread("srv/cni/bin", errno.EACCES),)
    assert look(tree).node.absent_cni_directories == ()


def test_a_boot_id_that_makes_no_sense(tree: HostTree) -> None:
    tree.write("proc/sys/kernel/random/boot_id", b"\xff\xff")
    node = look(tree).node
    assert node.boot_id is None
    assert node.unread == (Unread("proc/sys/kernel/random/boot_id", 0),)
