"""Why a resource gets nothing of a node, in words."""

import pytest

from coordinator.plugins.misses import sentence
from coordinator.plugins.prediction import Miss, Step


@pytest.mark.parametrize(
    ("miss", "expected"),
    [
        pytest.param(Miss(Step.VENDOR, 0, ("15b3",)), "no NVIDIA network function is there", id="no-nic"),
        pytest.param(
            Miss(Step.DEVICE, 4, ("1017",), ("101d",)),
            "the 4 functions that come nearest have device ID 101d, not 1017",
            id="device",
        ),
        pytest.param(
            Miss(Step.DEVICE, 1, ("0000:3b:00.0",), ("101d",)),
            "the function that comes nearest has device ID 101d, not 0000:3b:00.0 (a PCI address, where an ID belongs)",
            id="address",
        ),
        pytest.param(
            Miss(Step.INTERFACE, 9, ("a", "b", "c", "d"), ("w", "x", "y", "…")),
            "the 9 functions that come nearest have interface w, x, y, …, not a, b, c, …",
            id="many-values",
        ),
        pytest.param(
            Miss(Step.INTERFACE, 1, ('a"\n- b', "é"), ("ens1",)),
            'the function that comes nearest has interface ens1, not "a\\"\\n- b", "\\u00e9"',
            id="a-users-text",
        ),
        pytest.param(
            Miss(Step.PF_NAME, 2, ("ens1f0#0-3",), ("none",)),
            "only VFs can be selected by their PF (ens1f0#0-3), and there are none",
            id="no-vfs",
        ),
        pytest.param(
            Miss(Step.PF_ADDRESS, 2, ("0000:5e:00.0",), ("0000:3b:00.0",)),
            "the 2 functions that come nearest have PF address 0000:3b:00.0, not 0000:5e:00.0",
            id="other-pf",
        ),
        pytest.param(Miss(Step.NO_DRIVER, 1), "the function that matches has no driver bound", id="driver"),
        pytest.param(
            Miss(Step.IS_RDMA, 4, (), ("vfio-pci",)),
            "the 4 functions that come nearest have no RDMA device with driver vfio-pci",
            id="is-rdma",
        ),
        pytest.param(
            Miss(Step.RDMA_DEVICE, 2),
            "the 2 functions that match have no RDMA device; is mlx5_ib loaded?",
            id="rdma-device",
        ),
        pytest.param(
            Miss(Step.CHAR_DEVICES, 2, (), ("rdma_cm, umad", "umad")),
            "the 2 functions that match lack the character devices rdma_cm, umad; load rdma_ucm, ib_umad",
            id="character-devices",
        ),
        pytest.param(
            Miss(Step.EXCLUSIVE_MODE, 2),
            "the RDMA subsystem is in exclusive mode, at which this plugin ends; rdma system set netns shared",
            id="exclusive",
        ),
        pytest.param(
            Miss(Step.VFS_CONFIGURED, 1, (), ("ens1f0np0",)),
            "only PFs match (ens1f0np0), and the plugin leaves a PF to its VFs once it has some",
            id="pf-with-vfs",
        ),
        pytest.param(
            Miss(Step.TAKEN, 4, (), ("nvidia.com/a",)),
            "all that match go to nvidia.com/a, which is listed earlier",
            id="taken",
        ),
        pytest.param(
            Miss(Step.DEFAULT_ROUTE, 1, (), ("ens1",)),
            "what matches carries the default route (ens1), and the plugin may leave that out",
            id="default-route",
        ),
    ],
)
def test_a_miss_is_told_in_words(miss: Miss, expected: str) -> None:
    assert sentence(miss) == expected


@pytest.mark.parametrize("step", Step)
def test_every_step_has_words(step: Step) -> None:
    assert sentence(Miss(step, 2, ("a",), ("umad",)))
