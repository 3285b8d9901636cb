"""docs/reference/refusals.md has every sentence that a mistake can end in, and none that does not exist."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from coordinator.admission.rules import problems
from coordinator.networks.definition import network_problems
from coordinator.policy.networks import HostDeviceNetwork, MacvlanNetwork, Network
from tests.unit.coordinator.policies import ROOT, image, node_policy, policy

PAGE = ROOT / "docs/reference/refusals.md"

WRONG_POLICIES: tuple[dict[str, Any], ...] = (
    {"ofedDriver": {"image": "a"}},
    {"nvIpam": image(repository="https://r")},
    {"nvIpam": image("A")},
    {"nvIpam": image(version="a b")},
    {"nvIpam": image(version="sha256:0")},
    {"ofedDriver": image(version="latest", upgradePolicy={"safeLoad": True})},
    {"ibKubernetes": image(periodicUpdateSeconds=0)},
    {"ibKubernetes": image(pKeyGUIDPoolRangeStart="0", pKeyGUIDPoolRangeEnd="1", ufmSecret="A")},
    {"ibKubernetes": image(pKeyGUIDPoolRangeStart="00:" * 7 + "00", pKeyGUIDPoolRangeEnd="FF:" * 7 + "FF")},
    {"ibKubernetes": image(pKeyGUIDPoolRangeStart="00:" * 7 + "02", pKeyGUIDPoolRangeEnd="00:" * 7 + "01")},
    {"docaTelemetryService": image(config={})},
    {"docaTelemetryService": image(config={"fromConfigMap": "A"})},
    {"secondaryNetwork": {"multus": image(config="{")}},
    {"secondaryNetwork": {"multus": image(config="1")}},
    {"sriovDevicePlugin": image(config="{}", useCdi=True, version="v3.5.0")},
    {"spectrumXOperator": image(xPlane={"image": "x", "version": "v1"})},
    {"spectrumXOperator": image(xPlane=image(version="sha256:" + 64 * "0"))},
    {
        "nvIpam": image(
            containerResources=[
                {"name": "x", "requests": {"gpu": 1, "cpu": "x", "memory": 0}},
                {"name": "nv-ipam-node", "requests": {"cpu": 2}, "limits": {"cpu": 1}},
            ]
        )
    },
)
WRONG_NETWORKS: tuple[Network, ...] = tuple(
    kind.model_validate({"metadata": {"name": "n"}, "spec": spec})
    for kind, spec in (
        (HostDeviceNetwork, {}),
        (HostDeviceNetwork, {"resourceName": "-"}),
        (MacvlanNetwork, {"networkNamespace": "A", "ipam": "{"}),
        (MacvlanNetwork, {"metaPlugins": "{}"}),
        (MacvlanNetwork, {"metaPlugins": "{"}),
    )
)


def sentences() -> list[str]:
    found = [problem for sections in WRONG_POLICIES for problem in problems(policy(**sections))]
    found += problems(node_policy("n" * 31))
    found += [problem for network in WRONG_NETWORKS for problem in network_problems(network)]
    return sorted({problem.sentence for problem in found})


def documented() -> Iterator[str]:
    """The sentences of the tables: those that have a fix."""
    for row in re.findall(r"^\| .* \|$", PAGE.read_text().partition("\n## Warnings")[0], re.MULTILINE):
        yield from re.findall(r"`(… [^`]*: [^`]*)`", row)


def matches(template: str, sentence: str) -> bool:
    return re.fullmatch(re.escape(template).replace("…", ".+"), sentence) is not None


@pytest.mark.parametrize("sentence", sentences())
def test_every_sentence_is_in_the_reference(sentence: str) -> None:
    assert any(matches(template, sentence) for template in documented())


@pytest.mark.parametrize("template", sorted(set(documented())))
def test_no_other_sentence_is(template: str) -> None:
    assert any(matches(template, sentence) for sentence in sentences())
