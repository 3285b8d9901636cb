"""The way back of docs/how-to/migrate-from-network-operator.md, from its step 4."""

import json
from contextlib import closing
from pathlib import Path

from nicfleet import names
from tests.chart.helm import Helm
from tests.controlplane.cluster import ControlPlane
from tests.integration.system.api import Api
from tests.integration.system.waiting import eventually
from tests.migration import upstream
from tests.migration.cluster import Nicfleet, live
from tests.migration.howto import HowTo
from tests.migration.witness import Witness

DRIVER = "mofed-ubuntu22.04-54669c9886-ds"
MADE = [each for each in upstream.made() if each["metadata"]["name"] != "multus-cni-config"]


def test_the_operator_finds_everything_as_it_wants_it(
    plane: ControlPlane, helm: Helm, helm_program: Path, tmp_path: Path
) -> None:
    """It writes what lacks its revision. No driver pod is outdated by that, and nothing was without its label."""
    upstream.install(plane, helm, tmp_path)
    howto = HowTo("migrate-from-network-operator.md", plane, helm_program, tmp_path / "user")
    with closing(Api(plane)) as api, Witness(plane) as witness:
        howto.carry_out("1. Look first")
        howto.carry_out("3. Stop the operator and NFD's master")
        howto.run(next(howto.commands("4. Install nicfleet")))
        with Nicfleet(plane, tmp_path, "replace"):
            eventually(lambda: api.condition("Verified")["status"] == "True")
        assert not any(upstream.REVISION in each["metadata"]["annotations"] for each in live(api, MADE).values())
        howto.carry_out("Back again")
        _work(plane, api)
        eventually(lambda: api.daemonset(DRIVER)["status"]["observedGeneration"] == _generation(api))
        status = api.daemonset(DRIVER)["status"]

    assert status["updatedNumberScheduled"] == status["desiredNumberScheduled"] == len(upstream.WITH_NIC)
    assert plane.get("validatingwebhookconfiguration", upstream.webhook()["metadata"]["name"])["webhooks"]
    for event in witness.of("Node"):
        labels = event.body["metadata"]["labels"]
        assert labels.items() >= upstream.LABELS[event.name].items()
    ended = [str(event) for event in witness.of("Pod") if event.ends and names.OFED_DRIVER_LABEL in event.labels]
    assert ended == []
    assert not any(event.name == DRIVER and event.ends for event in witness.of("DaemonSet"))


def _work(plane: ControlPlane, api: Api) -> None:
    """As upstream's operator does: of an object without its revision it replaces the whole."""
    uids = {kind: plane.get(kind.lower(), name)["metadata"]["uid"] for kind, name in upstream.OWNERS.items()}
    there = live(api, MADE)
    for each in MADE:
        body = upstream.owned(each, uids)
        version = there[f"{each['kind']} {each['metadata']['name']}"]["metadata"]["resourceVersion"]
        body["metadata"]["resourceVersion"] = version
        plane.kubectl("replace", f"--field-manager={upstream.OPERATOR}", "-f", "-", input=json.dumps(body))


def _generation(api: Api) -> int:
    generation: int = api.daemonset(DRIVER)["metadata"]["generation"]
    return generation
