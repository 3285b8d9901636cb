"""Two networks for one NetworkAttachmentDefinition: one has it, the other is told, and they never take turns."""

from dataclasses import replace
from typing import Any

import pytest

from coordinator.kube.objects import Ref
from coordinator.networks.definition import NAD
from coordinator.networks.rivals import holder, rival
from coordinator.objects.live import LiveObject, Owner
from nicfleet.reasons import Reason
from tests.unit.coordinator.networks.documents import document

MACVLAN = document("MacvlanNetwork", created=5)
LEAVING = document("HostDeviceNetwork", created=1)
LEAVING["metadata"]["deletionTimestamp"] = "2026-11-27T00:00:30Z"


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        pytest.param(document("HostDeviceNetwork", created=1), True, id="made-before"),
        pytest.param(document("HostDeviceNetwork", created=9), False, id="made-after"),
        pytest.param(document("HostDeviceNetwork", created=5), True, id="in-one-second-the-kind-decides"),
        pytest.param(document("IPoIBNetwork", created=5), True, id="in-alphabetical-order"),
        pytest.param(document("HostDeviceNetwork", created=1, networkNamespace="default"), True, id="default-by-name"),
        pytest.param(document("HostDeviceNetwork", created=1, networkNamespace="x"), False, id="another-namespace"),
        pytest.param(document("HostDeviceNetwork", name="y", created=1), False, id="another-name"),
        pytest.param(LEAVING, False, id="being-deleted"),
        pytest.param({k: v for k, v in document("IPoIBNetwork").items() if k != "spec"}, True, id="without-a-spec"),
    ],
)
def test_rival(other: dict[str, Any], expected: bool) -> None:
    found = rival(MACVLAN, [MACVLAN, other])
    assert (found is not None) is expected
    if not expected:
        return
    assert found is not None
    assert found.reason is Reason.NetworkConflict
    assert found.message.startswith(
        f"NetworkAttachmentDefinition default/net is already that of {other['kind']} net, which was made first: "
    )


def test_exactly_one_of_three_has_it() -> None:
    three = [document(kind, created=3) for kind in ("MacvlanNetwork", "IPoIBNetwork", "HostDeviceNetwork")]
    assert [each["kind"] for each in three if rival(each, three) is None] == ["HostDeviceNetwork"]


LIVE = LiveObject(Ref(NAD, "default", "net"), "uid-nad", "1")


def owned_by(other: dict[str, Any]) -> LiveObject:
    metadata = other["metadata"]
    return replace(LIVE, owners=(Owner("mellanox.com/v1alpha1", other["kind"], metadata["name"], metadata["uid"]),))


@pytest.mark.parametrize(
    ("live", "other", "waits"),
    [
        pytest.param(None, LEAVING, False, id="no-nad"),
        pytest.param(owned_by(MACVLAN), LEAVING, False, id="its-own"),
        pytest.param(owned_by(LEAVING), LEAVING, True, id="of-one-being-deleted"),
        pytest.param(
            owned_by(document("IPoIBNetwork")), document("IPoIBNetwork", networkNamespace="x"), True, id="moving-away"
        ),
        pytest.param(
            owned_by(document("IPoIBNetwork")), document("IPoIBNetwork", created=9), False, id="later-so-it-must-yield"
        ),
        pytest.param(owned_by(document("IPoIBNetwork", name="gone")), LEAVING, False, id="of-one-that-is-gone"),
    ],
)
def test_what_another_has_still_is_waited_for(live: LiveObject | None, other: dict[str, Any], waits: bool) -> None:
    found = holder(live, MACVLAN, [MACVLAN, other])
    assert (found is not None) is waits
    assert found is None or found.reason is Reason.Removing
