"""Before the coordinator begins: its CRD is there and new enough, or one sentence says which and what to do.

Asked about a CRD of the test's own, as the policy's carries the objects of the tests beside this one.
"""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from coordinator.kube.client import Kube
from coordinator.kube.objects import NIC_CLUSTER_POLICY, Resource
from coordinator.preflight import CrdUnusable, require_crd
from tests.controlplane.cluster import ControlPlane
from tests.integration.coordinator.proxy import Answer, proxied

OURS = Path(__file__).parents[3] / "deploy/crds/mellanox.com_nicclusterpolicies.yaml"
RESOURCE = Resource("NicClusterPolicy", "preflight.test", "v1alpha1", "nicclusterpolicies", namespaced=False)
NAME = "nicclusterpolicies.preflight.test"
HELP = (
    "helm upgrade brings it in step where upgradeCRDs is on; without Helm, run python -m coordinator.install_crds or "
    "kubectl apply --server-side -f deploy/crds"
)


@pytest.fixture
def crd(cluster: ControlPlane) -> Iterator[dict[str, Any]]:
    """The policy's CRD under another group, to be applied; gone after the test."""
    found = yaml.safe_load(OURS.read_text())
    found["metadata"] = {"name": NAME}
    found["spec"]["group"] = RESOURCE.group
    found["spec"]["names"]["shortNames"] = []
    yield found
    cluster.remove("crd", NAME)


async def test_the_crd_of_this_version_will_do(cluster: ControlPlane, kube: Kube, crd: dict[str, Any]) -> None:
    cluster.apply(crd)
    await require_crd(kube, RESOURCE)


async def test_an_absent_crd_is_named_with_the_commands_that_install_it(kube: Kube) -> None:
    with pytest.raises(CrdUnusable, match=rf"{NAME} is not installed: {HELP}"):
        await require_crd(kube, RESOURCE)


async def test_a_crd_of_before_conditions_is_too_old(cluster: ControlPlane, kube: Kube, crd: dict[str, Any]) -> None:
    (version,) = crd["spec"]["versions"]
    del version["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]["conditions"]
    version["additionalPrinterColumns"] = []
    cluster.apply(crd)

    lacking = r"v1alpha1: status.conditions and \d+ more"
    with pytest.raises(CrdUnusable, match=rf"{NAME} is too old, it has no {lacking}: {HELP}"):
        await require_crd(kube, RESOURCE)


async def test_a_crd_that_would_forget_what_users_write_is_too_old(
    cluster: ControlPlane, kube: Kube, crd: dict[str, Any]
) -> None:
    (version,) = crd["spec"]["versions"]
    del version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["nvIpam"]["properties"]["version"]
    cluster.apply(crd)

    with pytest.raises(CrdUnusable, match=rf"{NAME} is too old, it has no v1alpha1: spec.nvIpam.version: {HELP}"):
        await require_crd(kube, RESOURCE)


async def test_a_newer_crd_will_do(cluster: ControlPlane, kube: Kube, crd: dict[str, Any]) -> None:
    (version,) = crd["spec"]["versions"]
    version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["tomorrow"] = {"type": "string"}
    cluster.apply(crd)

    await require_crd(kube, RESOURCE)


async def test_one_of_another_release_is_told_from_an_old_one(
    cluster: ControlPlane, kube: Kube, crd: dict[str, Any]
) -> None:
    """The installation leaves it as it is, and so would the next helm upgrade."""
    (version,) = crd["spec"]["versions"]
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    spec["nvIpamRenamed"] = spec.pop("nvIpam")
    cluster.apply(crd)

    with pytest.raises(CrdUnusable) as caught:
        await require_crd(kube, RESOURCE)
    said = str(caught.value)
    assert f"{NAME} is of another release, it has v1alpha1: spec.nvIpamRenamed and " in said
    assert ", which this version does not know, and no v1alpha1: spec.nvIpam and " in said
    assert "helm" not in said


REFUSALS = [
    pytest.param(Answer(403, {"kind": "Status", "message": "customresourcedefinitions is forbidden"}), id="rights"),
    pytest.param(Answer(404, "404 page not found"), id="the-server-begins"),
    pytest.param(Answer(429, {"kind": "Status", "message": "too many requests"}), id="load"),
    pytest.param(Answer(200, "<html>log in</html>"), id="a-proxys-page"),
    pytest.param(Answer(200, b'{"kind": "\xff"}'), id="no-text"),
    pytest.param(Answer(200, {"kind": "Status", "metadata": {}}), id="another-kind"),
    pytest.param(Answer(200, []), id="no-object"),
    pytest.param(Answer(500, {"kind": "Status", "message": "etcdserver: no leader"}), id="trouble"),
]


@pytest.mark.parametrize("refusal", REFUSALS)
async def test_what_may_pass_is_waited_for_and_told_once(
    kubeconfig: Path,
    tmp_path: Path,
    refusal: Answer,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("coordinator.preflight.RETRY_SECONDS", 0.05)
    async with proxied(kubeconfig, tmp_path) as (proxy, path):
        proxy.answer = lambda request: refusal if len(proxy.seen) < 4 else None
        kube = await Kube.connect(path)
        with caplog.at_level(logging.WARNING):
            await require_crd(kube, NIC_CLUSTER_POLICY)
        await kube.close()

    assert len(proxy.seen) == 4
    (told,) = caplog.records
    assert f"cannot read CustomResourceDefinition {NIC_CLUSTER_POLICY.plural}" in getattr(told, "error", "")
