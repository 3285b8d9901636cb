"""No answer is no news; any other is."""

import errno
from dataclasses import replace

import pytest

from agent.last_seen import as_last_seen
from nicfleet.inventory import Function, Netdev, PciAddress, RdmaDevice, RdmaPort, Unread

HUNG = (Unread("sys/x/vpd", errno.ETIMEDOUT),)
PORT = RdmaPort(1, state="ACTIVE", link_layer="InfiniBand", rate_gbps=200.0, lid=7, pkeys=(0xFFFF,))
NETDEV = Netdev("ens1f0", mac="b8:ce:f6:00:00:01", mtu=1500, speed_mbps=100000, port_name="p0", master="bond0")
BEFORE = Function(
    PciAddress("0000:3b:00.0"),
    device=0x1017,
    sriov_num_vfs=2,
    numa_node=1,
    driver="mlx5_core",
    netdevs=(NETDEV,),
    rdma_devices=(RdmaDevice("mlx5_0", firmware="16.35", char_devices=("infiniband/uverbs0",), ports=(PORT,)),),
)
LISTED = Function(
    BEFORE.address,
    device=BEFORE.device,
    netdevs=(Netdev("ens1f0"),),
    rdma_devices=(RdmaDevice("mlx5_0", ports=(RdmaPort(1),)),),
    unread=HUNG,
)
FILLED = replace(
    BEFORE,
    driver=None,
    netdevs=(replace(NETDEV, master=None),),
    rdma_devices=(replace(BEFORE.rdma_devices[0], char_devices=()),),
    unread=HUNG,
)


@pytest.mark.parametrize(
    ("read", "expected"),
    [
        pytest.param(LISTED, FILLED, id="what-was-only-listed-has-its-answers-of-before"),
        pytest.param(replace(LISTED, unread=()), replace(LISTED, unread=()), id="what-answers-none-has-none"),
        pytest.param(
            replace(LISTED, unread=(Unread("sys/x/vpd", errno.EIO),)),
            replace(LISTED, unread=(Unread("sys/x/vpd", errno.EIO),)),
            id="a-failure-is-news",
        ),
        pytest.param(replace(LISTED, device=0x101B), replace(LISTED, device=0x101B), id="another-card-in-its-place"),
        pytest.param(
            replace(LISTED, netdevs=(Netdev("ens1f0", mtu=9000), Netdev("eth7"))),
            replace(FILLED, netdevs=(replace(NETDEV, mtu=9000, master=None), Netdev("eth7"))),
            id="what-was-answered-and-what-is-new",
        ),
        pytest.param(
            replace(LISTED, netdevs=(), rdma_devices=()),
            replace(FILLED, netdevs=(), rdma_devices=()),
            id="what-is-gone",
        ),
        pytest.param(
            replace(LISTED, rdma_devices=(RdmaDevice("mlx5_0", ports=(RdmaPort(1, state="DOWN"),)),)),
            replace(
                FILLED,
                rdma_devices=(RdmaDevice("mlx5_0", firmware="16.35", ports=(RdmaPort(1, state="DOWN"),)),),
            ),
            id="a-port-that-answers",
        ),
    ],
)
def test_a_function_with_a_read_that_hung(read: Function, expected: Function) -> None:
    assert as_last_seen([read], [BEFORE]) == (expected,)


def test_vfs_too() -> None:
    """Of a PF that answers as well."""
    pf = Function(PciAddress("0000:3b:00.1"))
    read, before, filled = (replace(pf, virtual_functions=(vf,)) for vf in (LISTED, BEFORE, FILLED))
    assert as_last_seen([read], [before]) == (filled,)


def test_the_first_look_knows_nothing_else() -> None:
    assert as_last_seen([LISTED], []) == (LISTED,)
