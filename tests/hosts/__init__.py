"""The demo's hosts, as code and not as archives: a change to one is read in a diff, and each is a tree to change.

Each function writes a whole host below `root`, with the kernel's own Ethernet driver loaded and no RDMA yet: loading
that is the driver container's part, played by `tests.host_driver`.
"""

from pathlib import Path

from tests.host_driver import add_module
from tests.host_tree import HostTree, vpd


def connectx5(root: Path) -> None:
    """A dual-port ConnectX-5 with VFs; the first port is ens2f0."""
    tree = _system(root, "0a1f6a52-6b3e-4f0e-8f0d-5f2a8f2f6a01")
    board = vpd("ConnectX-5 adapter card, 100GbE dual-port QSFP28", "MCX516A-CCAT", "MT2110X00001")
    tree.add_pf("0000:3b:00.0", 0x1017, netdev="ens2f0", total_vfs=8, vfs=2, board=board)
    tree.add_pf("0000:3b:00.1", 0x1017, netdev="ens2f1", total_vfs=8, board=board)


def connectx6_infiniband(root: Path) -> None:
    """A ConnectX-6 with two InfiniBand ports, and a GPU."""
    tree = _system(root, "0a1f6a52-6b3e-4f0e-8f0d-5f2a8f2f6a02")
    board = vpd("ConnectX-6 adapter card, HDR InfiniBand and 200GbE", "MCX653106A-HDAT", "MT2110X00002")
    tree.add_pf("0000:5e:00.0", 0x101B, netdev="ibs3f0", infiniband=True, total_vfs=16, board=board)
    tree.add_pf("0000:5e:00.1", 0x101B, netdev="ibs3f1", infiniband=True, total_vfs=16, board=board)
    tree.add_gpu("0000:86:00.0")


def connectx6_lx(root: Path) -> None:
    """A dual-port ConnectX-6 Lx, which the driver stack does not support."""
    tree = _system(root, "0a1f6a52-6b3e-4f0e-8f0d-5f2a8f2f6a03")
    board = vpd("ConnectX-6 Lx adapter card, 25GbE dual-port SFP28", "MCX631102AN-ADAT", "MT2110X00003")
    tree.add_pf("0000:af:00.0", 0x101F, netdev="ens5f0", total_vfs=8, board=board)
    tree.add_pf("0000:af:00.1", 0x101F, netdev="ens5f1", total_vfs=8, board=board)


def multiport_eswitch(root: Path) -> None:
    """A dual-port ConnectX-7 as a multiport E-Switch: both ports in switchdev mode, RDMA on the first for both."""
    tree = _system(root, "0a1f6a52-6b3e-4f0e-8f0d-5f2a8f2f6a04")
    board = vpd("ConnectX-7 adapter card, 200GbE dual-port QSFP112", "MCX755106AS-HEAT", "MT2310X00004")
    tree.add_pf("0000:5e:00.0", 0x1021, netdev="ens3f0np0", total_vfs=8, vfs=2, board=board)
    tree.add_pf("0000:5e:00.1", 0x1021, netdev="ens3f1np1", total_vfs=8, board=board)
    tree.add_auxiliary_devices("0000:5e:00.0", "eth", "eth-rep", "rdma-rep")
    tree.add_auxiliary_devices("0000:5e:00.1", "eth", "eth-rep")


def _system(root: Path, boot_id: str) -> HostTree:
    tree = HostTree(root)
    tree.add_system(boot_id=boot_id)
    add_module(root, "mlx5_core", references=0)
    return tree
