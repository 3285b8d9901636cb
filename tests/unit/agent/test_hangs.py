"""What is left out with a read that hangs, and for how long."""

import pytest

from agent.hangs import Hang, together

PF = "sys/devices/pci0000:3a/0000:3a:00.0/0000:3b:00.0"
CARD = "sys/devices/pci0000:3a/0000:3a:00.0/"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param(f"{PF}/numa_node", (CARD,), id="a-pf"),
        pytest.param(f"{CARD}0000:3b:00.1/vpd", (CARD,), id="its-other-port"),
        pytest.param(f"{CARD}0000:3c:01.2/infiniband/mlx5_9/ports/1/state", (CARD,), id="a-vf-on-another-bus"),
        pytest.param(f"{PF}/mlx5_core.sf.4/infiniband/mlx5_9/fw_ver", (CARD,), id="a-sub-function"),
        pytest.param(f"{PF}/net/ens1f0/mtu", (CARD,), id="a-netdev"),
        pytest.param(f"{PF}/net/ens1f0/speed", ("RTNL", CARD), id="a-netdev-s-lock"),
        pytest.param(f"{PF}/mlx5_core.sf.4/net/ens1f0s4/phys_port_name", ("RTNL", CARD), id="a-sub-function-s-lock"),
        pytest.param(
            "sys/devices/pci0000:00/0000:00:05.1/vpd", ("sys/devices/pci0000:00/0000:00:05",), id="on-a-root-bus"
        ),
        pytest.param(
            "sys/devices/pci0000:00/0000:00:01.0/0000:01:00.0/0000:02:04.0/0000:05:00.0/vpd",
            ("sys/devices/pci0000:00/0000:00:01.0/0000:01:00.0/0000:02:04.0/",),
            id="behind-a-switch",
        ),
        pytest.param(f"{PF}/vendor", (f"{PF}/vendor",), id="what-names-the-card"),
        pytest.param(f"{PF}/sriov_numvfs", (f"{PF}/sriov_numvfs",), id="while-vfs-are-made"),
        pytest.param("proc/locks", ("proc/locks",), id="no-device"),
        pytest.param("sys/devices/virtual/net/bond0/ifindex", ("sys/devices/virtual/net/bond0/ifindex",), id="no-card"),
    ],
)
def test_what_hangs_together(path: str, expected: tuple[str, ...]) -> None:
    assert together(path) == expected


@pytest.mark.parametrize(
    ("returned", "now", "expected"),
    [
        pytest.param(None, 1000.0, False, id="it-hangs"),
        pytest.param(70.0, 129.0, False, id="it-has-just-returned"),
        pytest.param(70.0, 130.0, True, id="as-long-again"),
        pytest.param(16.0, 22.0, True, id="a-short-one"),
    ],
)
def test_what_hung_is_tried_again_after_as_long_as_it_took(returned: float | None, now: float, expected: bool) -> None:
    assert Hang("proc/locks", 10.0, returned).is_over(now) is expected
