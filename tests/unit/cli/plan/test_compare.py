"""What becomes of each object: the table is keyed by what is there and what a dry run says."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from cli.plan.compare import Act, Change, to_ask
from cli.plan.seen import Seen
from coordinator.kube.errors import Forbidden, Invalid, KubeError, NotFound, Status, StatusDetails
from coordinator.kube.objects import Ref
from tests.unit.cli.plan.clusters import (
    NAMESPACE,
    applied,
    called,
    document,
    drafted,
    driver,
    of_nodes,
    outlooks,
    plugin,
    stored,
)
from tests.unit.coordinator.inventories import connectx6dx, inventory, ofed

CONFIG = Ref("ConfigMap", NAMESPACE, "rdma-devices")
PLUGIN = Ref("DaemonSet", NAMESPACE, "rdma-shared-dp-ds")
NODES = of_nodes(called("one", inventory(connectx6dx(), driver=ofed())))
WHOLE = document(ofedDriver=driver(), rdmaSharedDevicePlugin=plugin())
OTHER = document(ofedDriver=driver(), rdmaSharedDevicePlugin=plugin("other"))


def error(kind: type[KubeError], message: str, code: int = 0) -> KubeError:
    return kind("apply", str(CONFIG), Status(message=message, code=code))


def changes(
    seen: Seen, wanted: Any = WHOLE, answers: Mapping[Ref, bytes | KubeError] | None = None
) -> dict[Ref, Change]:
    made = drafted(seen, wanted, answers=answers)
    assert len({change.ref for change in made.changes}) == len(made.changes)
    return {change.ref: change for change in made.changes}


def edited(seen: Seen, ref: Ref, manager: str = "kubectl-edit", **spec: Any) -> Seen:
    """Somebody has added fields to the spec of an object."""
    body = json.loads(seen.objects[ref])
    body["spec"] |= spec
    fields: dict[str, Any] = {"f:spec": {f"f:{key}": {} for key in spec}}
    theirs = {"manager": manager, "operation": "Update", "apiVersion": "apps/v1", "fieldsV1": fields}
    body["metadata"]["managedFields"].append(theirs)
    return replace(seen, objects={**seen.objects, ref: json.dumps(body).encode()})


def someone_elses(seen: Seen, ref: Ref) -> Seen:
    body = json.loads(seen.objects[ref])
    owner = {"apiVersion": "apps/v1", "kind": "Other", "name": "theirs", "uid": "u"}
    body["metadata"] |= {"managedFields": [], "labels": {}, "ownerReferences": [owner]}
    return replace(seen, objects={**seen.objects, ref: json.dumps(body).encode()})


def test_in_a_cluster_in_which_nothing_is_applied_all_is_created() -> None:
    assert {change.act for change in changes(NODES).values()} == {Act.CREATE}


def test_what_is_applied_stays_and_nothing_is_asked() -> None:
    there = applied(NODES, WHOLE)
    assert {change.act for change in changes(there).values()} == {Act.NONE}
    assert to_ask(outlooks(there, WHOLE)[1], there) == []


def test_without_an_answer_what_was_applied_is_held_against_what_is_wanted() -> None:
    found = changes(applied(NODES, WHOLE), OTHER)
    assert {ref for ref, change in found.items() if change.act is Act.CHANGE} == {CONFIG, PLUGIN}
    assert not found[CONFIG].exact
    assert found[PLUGIN].rolls
    assert not found[CONFIG].rolls


def test_what_the_api_server_would_make_of_it_counts_most() -> None:
    """An object that is sent again, and then is as it was, does not change."""
    there = applied(NODES, WHOLE)
    asked = to_ask(outlooks(there, OTHER)[1], there)
    assert {obj["metadata"]["name"] for obj in asked} == {CONFIG.name, PLUGIN.name}
    answers: dict[Ref, bytes | KubeError] = {CONFIG: there.objects[CONFIG], PLUGIN: stored(asked[1])}

    found = changes(there, OTHER, answers)

    assert found[CONFIG].act is Act.NONE
    assert (found[PLUGIN].act, found[PLUGIN].exact) == (Act.CHANGE, True)


def test_what_only_the_api_server_writes_is_no_difference() -> None:
    there = applied(NODES, WHOLE)
    (wanted,) = (each.obj for each in outlooks(there, OTHER)[1].wanted() if each.ref == CONFIG)
    noisy = stored(wanted, generation=7, creationTimestamp="2026-01-01T00:00:00Z", selfLink="x")
    after = changes(there, OTHER, {CONFIG: noisy})[CONFIG].after
    assert after is not None
    assert after["metadata"].keys() == {"name", "namespace", "labels", "ownerReferences"}


def test_what_others_have_added_goes_with_the_repair() -> None:
    there = edited(applied(NODES, WHOLE), PLUGIN, minReadySeconds=5)
    bare = there.objects[PLUGIN]  # an apply without taking it over leaves their field

    found = changes(there, WHOLE, {PLUGIN: bare})[PLUGIN]

    assert found.act is Act.CHANGE
    assert found.before is not None
    assert found.after is not None
    assert found.before["spec"]["minReadySeconds"] == 5
    assert "minReadySeconds" not in found.after["spec"]
    rough = changes(there)[PLUGIN]
    assert rough.before is not None
    assert rough.before["spec"]["minReadySeconds"] == 5


@pytest.mark.parametrize(
    ("answer", "act", "words"),
    [
        pytest.param(error(Forbidden, 'User "me" cannot patch resource "configmaps"'), Act.CHANGE, "", id="no-right"),
        pytest.param(
            error(Forbidden, "exceeded quota: small"), Act.REFUSED, "exceeded quota", id="refused-by-admission"
        ),
        pytest.param(error(Invalid, "data: Forbidden: field is immutable"), Act.REPLACE, "", id="immutable"),
        pytest.param(error(Invalid, "data: Invalid value"), Act.REFUSED, "Invalid value", id="invalid"),
    ],
)
def test_an_answer_other_than_the_object(answer: KubeError, act: Act, words: str) -> None:
    found = changes(applied(NODES, WHOLE), OTHER, {CONFIG: answer})[CONFIG]
    assert found.act is act
    assert words in (found.finding.message if found.finding else "")


def test_what_cannot_be_created_is_told() -> None:
    details = StatusDetails(kind="namespaces", name=NAMESPACE)
    missing = NotFound("apply", str(CONFIG), Status(message="namespaces not found", code=404, details=details))

    found = changes(replace(NODES, server="https://x"), WHOLE, {CONFIG: missing})[CONFIG]

    assert found.act is Act.REFUSED
    assert found.finding is not None
    assert found.finding.message.startswith(f'namespace "{NAMESPACE}" does not exist')


def test_an_object_of_somebody_else_is_left_alone() -> None:
    found = changes(someone_elses(applied(NODES, WHOLE), CONFIG), OTHER)[CONFIG]
    assert found.act is Act.REFUSED
    assert found.finding is not None
    assert "belongs to Other theirs" in found.finding.message


def test_what_the_account_may_not_read_may_be_anything() -> None:
    there = applied(NODES, WHOLE)
    blind = replace(there, objects={r: o for r, o in there.objects.items() if r != CONFIG}, hidden=frozenset({CONFIG}))
    assert changes(blind)[CONFIG].act is Act.UNKNOWN
    assert to_ask(outlooks(blind, WHOLE)[1], blind) == []


def test_a_section_that_is_gone_takes_its_objects_along() -> None:
    found = changes(applied(NODES, WHOLE), document(ofedDriver=driver()))
    assert {ref for ref, change in found.items() if change.act is Act.DELETE} == {CONFIG, PLUGIN}
    assert found[PLUGIN].state == "state-RDMA-device-plugin"


def test_a_section_that_cannot_be_carried_out_leaves_all_as_it_is() -> None:
    found = changes(applied(NODES, WHOLE), document(ofedDriver=driver(), rdmaSharedDevicePlugin=plugin(config="{")))
    assert {change.act for change in found.values()} == {Act.NONE}
    assert CONFIG not in found


def test_what_holds_data_is_never_deleted() -> None:
    with_ipam = document(nvIpam=plugin() | {"config": None, "image": "nvidia-k8s-ipam"})
    there = applied(NODES, with_ipam)
    gone = {change.ref.kind for change in changes(there, document()).values() if change.act is Act.DELETE}
    assert {ref.kind for ref in there.objects} - gone == {"CustomResourceDefinition"}


def test_a_network_that_moves_leaves_nothing_behind() -> None:
    network = document("MacvlanNetwork", "net", networkNamespace="here", master="ens1")
    there = applied(NODES, network)

    found = changes(there, document("MacvlanNetwork", "net", networkNamespace="there", master="ens1"))

    assert {(ref.namespace, change.act) for ref, change in found.items()} == {
        ("there", Act.CREATE),
        ("here", Act.DELETE),
    }


def test_a_policy_that_is_not_given_stays_with_its_objects_and_gets_a_part_in_what_is_shared() -> None:
    chosen = {"nodeSelector": {"kubernetes.io/hostname": "two"}}
    both = of_nodes(*(called(name, inventory(connectx6dx(), driver=ofed())) for name in ("one", "two")))
    first = document("NicNodePolicy", "first", ofedDriver=driver(), nodeSelector={"kubernetes.io/hostname": "one"})

    found = changes(applied(both, first), document("NicNodePolicy", "second", ofedDriver=driver(), **chosen))

    account = found[Ref("ServiceAccount", NAMESPACE, "ofed-driver")]
    assert account.act is Act.CHANGE
    assert account.after is not None
    assert [owner["name"] for owner in account.after["metadata"]["ownerReferences"]] == ["first", "second"]
    assert account.after["metadata"]["ownerReferences"][1]["uid"] == "(given by the API server)"
    daemonsets = {ref.name: change.act for ref, change in found.items() if ref.kind == "DaemonSet"}
    assert sorted(daemonsets.values()) == [Act.CREATE, Act.NONE]
