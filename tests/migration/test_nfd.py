"""docs/how-to/migrate-from-nfd.md, carried out word by word: beside NFD, and then instead of it."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from nicfleet import names
from tests.chart.helm import NAMESPACE, Helm
from tests.controlplane.cluster import ControlPlane
from tests.integration.system.api import JSON_PATCH, NODES, Api
from tests.integration.system.fleet import INBOX, NO_NIC
from tests.integration.system.waiting import eventually
from tests.migration import upstream
from tests.migration.cluster import Nicfleet, install_crds
from tests.migration.howto import HowTo
from tests.migration.witness import Witness

ADDED = {names.ETHERNET_LABEL, names.DRIVER_FLAVOUR_LABEL}
"""What this NFD does not provide."""
OF_ANOTHER_VENDOR = names.SRIOV_CAPABLE_LABEL
"""On the node without a NIC of ours: NFD has it of a card that nicfleet does not look at."""


@dataclass(frozen=True, slots=True)
class Moved:
    """`beside` are the nodes' metadata while both were there, `both` those when nicfleet had just taken the labels, and
    `plan` is what was said of that step."""

    plane: ControlPlane
    api: Api
    nicfleet: Nicfleet
    beside: dict[str, dict[str, Any]]
    both: dict[str, dict[str, Any]]
    plan: dict[str, Any]
    witness: Witness
    howto: HowTo


@pytest.fixture(scope="module")
def moved(
    plane: ControlPlane, helm: Helm, helm_program: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Moved]:
    folder = tmp_path_factory.mktemp("nfd")
    upstream.install_nfd(plane, helm, folder)
    plane.kubectl("create", "namespace", NAMESPACE)
    howto = HowTo("migrate-from-nfd.md", plane, helm_program, folder / "user")
    with closing(Api(plane)) as api, ExitStack() as running:
        _see_another_vendors_card(api)
        with Witness(plane) as witness:
            howto.carry_out("1. Install beside it")
            install_crds(plane)
            with Nicfleet(plane, folder, "supplement") as nicfleet:
                eventually(lambda: all(api.labels(node).keys() >= ADDED for node in upstream.WITH_NIC))
                beside = _nodes(api)
                plane.apply(*upstream.documents("policy"))
                howto.environment |= {"NICFLEET_COORDINATOR": nicfleet.coordinator.address, "NICFLEET_INSECURE": "true"}
                howto.carry_out("2. Let it say what it would do")
                plan = json.loads(howto.run(f"{list(howto.commands('2. Let it say what it would do'))[-1]} -o json"))
            howto.carry_out("3. Stop NFD's master")
            howto.carry_out("4. Let nicfleet own the labels")
            nicfleet = running.enter_context(Nicfleet(plane, folder, "replace"))
            taken = (upstream.SYSTEM | upstream.NIC).keys()
            eventually(lambda: all(_ours(api, node) >= taken for node in upstream.WITH_NIC))
            both = _nodes(api)
            howto.carry_out("5. Remove what is left of NFD")
        yield Moved(plane, api, nicfleet, beside, both, plan, witness, howto)


def _nodes(api: Api) -> dict[str, dict[str, Any]]:
    """The metadata of every node."""
    return {node: api.get(f"{NODES}/{node}")["metadata"] for node in upstream.LABELS}


def _see_another_vendors_card(api: Api) -> None:
    path = f"/metadata/labels/{OF_ANOTHER_VENDOR.replace('/', '~1')}"
    patch = [{"op": "add", "path": path, "value": "true"}]
    api.patch(f"{NODES}/{upstream.WITHOUT}?fieldManager={upstream.NFD}", patch, JSON_PATCH)


def _ours(api: Api, node: str) -> set[str]:
    """The label keys that nicfleet's field manager owns."""
    return _owned(api.get(f"{NODES}/{node}")["metadata"])


def _owned(metadata: dict[str, Any], manager: str = names.LABELS_MANAGER) -> set[str]:
    entries = [each for each in metadata["managedFields"] if each["manager"] == manager]
    return {key[2:] for each in entries for key in each["fieldsV1"].get("f:metadata", {}).get("f:labels", {})}


def test_beside_nfd_only_what_it_does_not_provide_is_nicfleets(moved: Moved) -> None:
    for node in upstream.WITH_NIC:
        assert _owned(moved.beside[node]) >= ADDED
        assert not _owned(moved.beside[node]) & upstream.LABELS[node].keys()


def test_the_plan_says_what_becomes_of_every_label(moved: Moved) -> None:
    told = {each["key"]: each for each in moved.plan["labels"] if each["key"].startswith(names.NFD)}
    same = {key for key, each in told.items() if each["value"] == each["value_now"]}
    assert same == (upstream.SYSTEM | upstream.NIC).keys()
    for key in same:
        assert told[key]["held_by"] == [upstream.NFD]
        assert told[key]["nodes"] == sorted(upstream.LABELS if key in upstream.SYSTEM else upstream.WITH_NIC)
    gone = told[OF_ANOTHER_VENDOR]
    assert (gone["value_now"], gone["value"], gone["nodes"]) == ("true", "", [upstream.WITHOUT])
    assert told.keys() == same | {OF_ANOTHER_VENDOR}


def test_when_nicfleet_takes_over_each_label_is_in_two_hands(moved: Moved) -> None:
    for node in upstream.WITH_NIC:
        shared = _owned(moved.both[node]) & _owned(moved.both[node], upstream.NFD)
        assert shared >= (upstream.SYSTEM | upstream.NIC).keys()


def test_nothing_is_left_of_nfd_and_its_job_that_removes_labels_never_ran(moved: Moved) -> None:
    assert [str(event) for event in moved.witness.of("Pod") if "prune" in event.name] == []
    assert moved.plane.kubectl("get", "crd", "-o", "name").count("nfd.k8s-sigs.io") == 0
    assert (
        moved.plane.kubectl("get", "deployments,daemonsets", f"--namespace={upstream.NFD_NAMESPACE}", "-o", "name")
        == ""
    )
    for metadata in _nodes(moved.api).values():
        assert not any(key.startswith("nfd.") for key in metadata["annotations"])


def test_no_label_was_ever_missing(moved: Moved) -> None:
    seen = list(moved.witness.of("Node"))
    assert {event.name for event in seen} == upstream.LABELS.keys()
    for event in seen:
        assert not event.ends
        assert event.labels.items() >= upstream.LABELS[event.name].items()


def test_what_is_no_card_of_ours_is_gone_as_was_said(moved: Moved) -> None:
    eventually(lambda: OF_ANOTHER_VENDOR not in moved.api.labels(upstream.WITHOUT))


def test_a_label_goes_with_the_card_though_nfd_wrote_it(moved: Moved) -> None:
    moved.nicfleet.agents.report("two", NO_NIC)
    eventually(lambda: names.NIC_LABEL not in moved.api.labels("two"))
    assert moved.api.labels("two").items() >= upstream.ONLY_NFDS.items()


def test_the_way_back_leaves_every_label_and_gives_back_those_that_nfd_claims(moved: Moved) -> None:
    """NFD is there again and has labelled the nodes; then nicfleet is upgraded to write only what is missing."""
    node = "one"
    upstream.claim(moved.api, node)
    with Witness(moved.plane) as witness:
        moved.howto.carry_out("Back again")
        moved.nicfleet.coordinator.kill()
        with Nicfleet(moved.plane, moved.howto.folder, "supplement") as nicfleet:
            nicfleet.agents.report(node, INBOX)  # what nicfleet alone knows is another: it writes this node
            eventually(lambda: moved.api.labels(node).get(names.DRIVER_FLAVOUR_LABEL) == "inbox")
            ours = _ours(moved.api, node)

    assert not ours & upstream.LABELS[node].keys()
    assert names.DRIVER_FLAVOUR_LABEL in ours
    for event in witness.of("Node"):
        assert event.name != node or event.labels.items() >= upstream.LABELS[node].items()
