"""Field ownership: what our entry covers, who else owns content, and what folding takes over."""

from typing import Any

import msgspec
import pytest

from coordinator.objects.ownership import (
    ManagedEntry,
    covers_exactly,
    drift,
    folded,
    folded_labels,
    foreign_owners,
    intersected,
    merged,
    needs_apply,
    released_labels,
    subtracted,
)
from nicfleet.names import HASH_ANNOTATION, OBJECTS_MANAGER, STATE_LABEL, USER_EDITS_ANNOTATION

Fields = dict[str, Any]


def desired(**content: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Thing", "metadata": {"name": "x", "namespace": "n"}, **content}


@pytest.mark.parametrize(
    ("fields", "content", "expected"),
    [
        pytest.param({"f:data": {"f:a": {}}}, {"data": {"a": "1"}}, True, id="map"),
        pytest.param({"f:data": {"f:a": {}}}, {"data": {"a": "1", "b": "2"}}, False, id="map-lost-a-key"),
        pytest.param({"f:data": {"f:a": {}, "f:b": {}}}, {"data": {"a": "1"}}, False, id="map-has-one-more"),
        pytest.param({"f:data": {".": {}}}, {"data": {"a": "1"}}, False, id="map-lost-all-its-keys"),
        pytest.param({"f:selector": {}}, {"selector": {"a": "1"}}, True, id="atomic-map"),
        pytest.param({"f:emptyDir": {}}, {"emptyDir": {}}, True, id="empty-map"),
        pytest.param({"f:args": {}}, {"args": ["a", "b"]}, True, id="atomic-list"),
        pytest.param({}, {"data": {"a": "1"}}, True, id="whole-object-is-one-value"),
        pytest.param({"f:a": {"f:b": {}}}, {"a": 1}, False, id="scalar-instead-of-map"),
        pytest.param({"f:a": {}}, {"a": 1, "b": None}, True, id="null-is-no-field"),
        pytest.param({"f:l": {'k:{"name":"x"}': {".": {}, "f:name": {}}}}, {"l": [{"name": "x"}]}, True, id="keyed"),
        pytest.param(
            {"f:l": {'k:{"name":"x"}': {".": {}, "f:name": {}}}},
            {"l": [{"name": "x", "value": "1"}]},
            False,
            id="keyed-item-lost-a-field",
        ),
        pytest.param(
            {"f:l": {'k:{"name":"x"}': {"f:name": {}}, 'k:{"name":"y"}': {"f:name": {}}}},
            {"l": [{"name": "x"}]},
            False,
            id="keyed-has-one-more",
        ),
        pytest.param(
            {"f:ports": {'k:{"containerPort":80,"protocol":"TCP"}': {".": {}, "f:containerPort": {}}}},
            {"ports": [{"containerPort": 80}]},
            True,
            id="key-filled-in-by-the-server",
        ),
        pytest.param(
            {"f:ports": {'k:{"containerPort":80,"protocol":"TCP"}': {"f:containerPort": {}, "f:protocol": {}}}},
            {"ports": [{"containerPort": 80}]},
            True,
            id="key-filled-in-and-owned",
        ),
        pytest.param(
            {"f:ports": {'k:{"containerPort":80,"protocol":"TCP"}': {"f:containerPort": {}, "f:protocol": {}}}},
            {"ports": [{"containerPort": 80, "protocol": "UDP"}]},
            False,
            id="another-key",
        ),
        pytest.param({"f:set": {'v:"a"': {}, 'v:"b"': {}}}, {"set": ["b", "a"]}, True, id="set"),
        pytest.param({"f:set": {'v:"a"': {}}}, {"set": ["a", "b"]}, False, id="set-lost-an-item"),
    ],
)
def test_covers_exactly(fields: Fields, content: Fields, expected: bool) -> None:
    assert covers_exactly(fields, desired(**content)) is expected


def test_name_and_namespace_belong_to_nobody_but_labels_do() -> None:
    obj = desired(data={"a": "1"})
    obj["metadata"]["labels"] = {"state": "x"}

    assert covers_exactly({"f:metadata": {"f:labels": {"f:state": {}}}, "f:data": {"f:a": {}}}, obj)
    assert not covers_exactly({"f:data": {"f:a": {}}}, obj)


SPEC: Fields = {"f:spec": {"f:replicas": {}}}


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        pytest.param(ManagedEntry("kubectl-edit", "Update", fields_v1=SPEC), ("kubectl-edit",), id="hand-edit"),
        pytest.param(ManagedEntry(OBJECTS_MANAGER, "Update", fields_v1=SPEC), (), id="a-webhook-in-our-name"),
        pytest.param(ManagedEntry("kube-controller-manager", "Update", fields_v1=SPEC), (), id="kubernetes-itself"),
        pytest.param(ManagedEntry("x", "Update", fields_v1=SPEC, subresource="status"), (), id="status-writer"),
        pytest.param(ManagedEntry("x", "Update", fields_v1=SPEC, subresource="scale"), ("x",), id="kubectl-scale"),
        pytest.param(
            ManagedEntry("x", "Update", fields_v1={"f:metadata": {"f:annotations": {"f:team": {}}}}),
            (),
            id="annotation",
        ),
        pytest.param(ManagedEntry("x", "Update", fields_v1={"f:status": {"f:y": {}}}), (), id="status-in-the-object"),
        pytest.param(
            ManagedEntry(
                "kubectl-rollout",
                "Update",
                fields_v1={
                    "f:spec": {
                        "f:template": {
                            "f:metadata": {"f:annotations": {".": {}, "f:kubectl.kubernetes.io/restartedAt": {}}}
                        }
                    }
                },
            ),
            (),
            id="rollout-restart",
        ),
        pytest.param(
            ManagedEntry(
                "cainjector",
                "Update",
                fields_v1={"f:webhooks": {'k:{"name":"w"}': {"f:clientConfig": {"f:caBundle": {}}}}},
            ),
            (),
            id="certificate-injector",
        ),
        pytest.param(
            ManagedEntry("cluster-network-operator", "Update", fields_v1={"f:data": {".": {}, "f:ca-bundle.crt": {}}}),
            (),
            id="openshifts-certificates",
        ),
    ],
)
def test_foreign_owners(entry: ManagedEntry, expected: tuple[str, ...]) -> None:
    owned = desired()
    owned["metadata"]["ownerReferences"] = [{"uid": "u"}]

    assert foreign_owners([entry], OBJECTS_MANAGER, owned) == expected


PULL_SECRETS: Fields = {"f:secrets": {".": {}, 'k:{"name":"pull"}': {}}, "f:imagePullSecrets": {}}


@pytest.mark.parametrize(
    "theirs",
    [
        pytest.param(
            ManagedEntry("openshift.io/image-registry-pull-secrets_service-account-controller", "Apply", "v1"),
            id="openshift",
        ),
        pytest.param(ManagedEntry("kubectl-patch", "Update", "v1"), id="a-person"),
        pytest.param(ManagedEntry("manager", "Update", "v1"), id="the-operator-before-us"),
    ],
)
def test_pull_secrets_of_an_account_stay_with_who_added_them(theirs: ManagedEntry) -> None:
    """OpenShift gives them to every account, and again when somebody takes them away."""
    of_upstream: Fields = {"f:metadata": {"f:labels": {f"f:{STATE_LABEL}": {}}}} if theirs.manager == "manager" else {}
    theirs = msgspec.structs.replace(theirs, fields_v1={**of_upstream, **PULL_SECRETS, "f:automount": {}})
    account = desired(kind="ServiceAccount")
    account["metadata"]["ownerReferences"] = [{"uid": "u"}]

    entries = {entry.manager: entry.fields_v1 for entry in folded([theirs], OBJECTS_MANAGER, account)}

    assert entries == {theirs.manager: PULL_SECRETS, OBJECTS_MANAGER: {**of_upstream, "f:automount": {}}}
    only = msgspec.structs.replace(theirs, fields_v1=PULL_SECRETS)
    assert foreign_owners([only], OBJECTS_MANAGER, account) == ()
    assert foreign_owners([only], OBJECTS_MANAGER, account | {"kind": "Thing"}) == (theirs.manager,)


def test_an_owner_of_what_nobody_may_own_is_foreign_and_folded() -> None:
    """Upstream's operator makes its policy the owner of CRDs; deleting the policy would delete everybody's pools."""
    owners: Fields = {"f:metadata": {"f:ownerReferences": {".": {}, 'k:{"uid":"u"}': {}}}}
    upstream = ManagedEntry("manager", "Update", fields_v1=owners)

    assert foreign_owners([upstream], OBJECTS_MANAGER, desired()) == ("manager",)
    assert [(e.manager, e.fields_v1) for e in folded([upstream], OBJECTS_MANAGER, desired())] == [
        (OBJECTS_MANAGER, owners)
    ]


def test_drift_names_who_did_it() -> None:
    obj = desired(data={"a": "1"})
    mine = ManagedEntry(OBJECTS_MANAGER, "Apply", fields_v1={"f:data": {"f:a": {}}})
    theirs = ManagedEntry("kubectl-patch", "Update", fields_v1={"f:data": {"f:b": {}}})

    assert drift([mine], obj) == ""
    assert drift([mine, theirs], obj) == "kubectl-patch changed it"
    assert drift([], obj) == "a field of ours was changed"


def test_edits_that_users_are_meant_to_make_are_no_drift_until_the_object_itself_changes() -> None:
    obj = desired(data={"a": "1"})
    obj["metadata"]["annotations"] = {HASH_ANNOTATION: "new", USER_EDITS_ANNOTATION: "keep"}
    theirs = ManagedEntry("kubectl-edit", "Update", fields_v1={"f:data": {"f:a": {}}})

    assert needs_apply({HASH_ANNOTATION: "new"}, [theirs], obj) == ""
    assert needs_apply({HASH_ANNOTATION: "old"}, [theirs], obj) == "the desired object changed"


def test_folding_takes_content_and_leaves_metadata_and_status_writers() -> None:
    mine = ManagedEntry(OBJECTS_MANAGER, "Apply", "apps/v1", fields_v1={"f:spec": {"f:a": {}}})
    edit = ManagedEntry(
        "edit", "Update", "apps/v1", fields_v1={"f:metadata": {"f:labels": {"f:l": {}}}, "f:spec": {"f:b": {}}}
    )
    status = ManagedEntry("kcm", "Update", "apps/v1", fields_v1={"f:status": {"f:c": {}}}, subresource="status")

    entries = folded([mine, edit, status], OBJECTS_MANAGER, desired())

    assert {entry.manager: entry.fields_v1 for entry in entries} == {
        "edit": {"f:metadata": {"f:labels": {"f:l": {}}}},
        "kcm": {"f:status": {"f:c": {}}},
        OBJECTS_MANAGER: {"f:spec": {"f:a": {}, "f:b": {}}},
    }


def test_of_the_operator_before_us_nothing_is_left_but_its_status() -> None:
    """It set the state label. Its record of what it wrote would be untrue, and its ownerReferences would outlast it."""
    metadata: Fields = {
        "f:labels": {".": {}, f"f:{STATE_LABEL}": {}},
        "f:annotations": {".": {}, "f:nvidia.network-operator.revision": {}},
        "f:ownerReferences": {".": {}, 'k:{"uid":"u"}': {}},
    }
    whole: Fields = {"f:metadata": metadata, "f:spec": {"f:b": {}}}
    upstream = ManagedEntry("manager", "Update", "apps/v1", fields_v1=whole | {"f:status": {"f:c": {}}})
    team = ManagedEntry("kubectl-label", "Update", "apps/v1", fields_v1={"f:metadata": {"f:labels": {"f:team": {}}}})
    owned = desired()
    owned["metadata"]["ownerReferences"] = [{"uid": "u"}]

    entries = folded([upstream, team], OBJECTS_MANAGER, owned)

    assert {entry.manager: entry.fields_v1 for entry in entries} == {
        "manager": {"f:status": {"f:c": {}}},
        "kubectl-label": team.fields_v1,
        OBJECTS_MANAGER: whole,
    }


@pytest.mark.parametrize(
    ("manager", "labels"),
    [
        pytest.param("kubectl-label", {f"f:{STATE_LABEL}": {}}, id="a-person-sets-the-state-label"),
        pytest.param("kustomize-controller", {f"f:{STATE_LABEL}": {}, "f:team": {}}, id="an-export-is-kept-in-git"),
        pytest.param("manager", {"f:team": {}}, id="another-operator-of-that-program-name"),
    ],
)
def test_labels_and_annotations_stay_with_everybody_but_the_operator_before_us(manager: str, labels: Fields) -> None:
    metadata: Fields = {"f:labels": labels, "f:annotations": {"f:note": {}}}
    theirs = ManagedEntry(manager, "Update", "v1", fields_v1={"f:metadata": metadata})
    owned = desired()
    owned["metadata"]["ownerReferences"] = [{"uid": "u"}]

    assert foreign_owners([theirs], OBJECTS_MANAGER, owned) == ()
    assert theirs in folded([theirs], OBJECTS_MANAGER, owned)


def test_folding_a_label_takes_that_key_from_the_named_managers_only() -> None:
    def owning(*keys: str) -> Fields:
        return {"f:metadata": {"f:labels": {f"f:{key}": {} for key in keys}}}

    nfd = ManagedEntry("nfd-master", "Apply", "v1", fields_v1=owning("gone", "theirs"))
    kubelet = ManagedEntry("kubelet", "Update", "v1", fields_v1=owning("gone", "arch"))

    entries = folded_labels([nfd, kubelet], {"gone": ("nfd-master",)}, "nicfleet-labels", "v1")

    assert {entry.manager: entry.fields_v1 for entry in entries} == {
        "nfd-master": owning("theirs"),
        "kubelet": owning("gone", "arch"),
        "nicfleet-labels": owning("gone"),
    }
    assert msgspec.to_builtins(entries[-1]) == {
        "manager": "nicfleet-labels",
        "operation": "Apply",
        "apiVersion": "v1",
        "fieldsType": "FieldsV1",
        "fieldsV1": owning("gone"),
    }


def test_a_manager_that_keeps_nothing_leaves_the_record() -> None:
    nfd = ManagedEntry("nfd-master", "Update", "v1", fields_v1={"f:metadata": {"f:labels": {".": {}, "f:gone": {}}}})

    assert [e.manager for e in folded_labels([nfd], {"gone": ("nfd-master",)}, "us", "v1")] == ["us"]


def test_trees_as_sets() -> None:
    one: Fields = {"f:a": {"f:x": {}, "f:y": {}}, "f:b": {}}
    other: Fields = {"f:a": {"f:y": {}, "f:z": {}}}

    assert merged(one, other) == {"f:a": {"f:x": {}, "f:y": {}, "f:z": {}}, "f:b": {}}
    assert intersected(one, other) == {"f:a": {"f:y": {}}}
    assert subtracted(one, other) == {"f:a": {"f:x": {}}, "f:b": {}}
    assert intersected(one, {"f:a": {}}) == {"f:a": one["f:a"]}


def labelled(*keys: str) -> Fields:
    return {"f:metadata": {"f:labels": {f"f:{key}": {} for key in keys}}}


@pytest.mark.parametrize(
    ("owned", "keys", "expected"),
    [
        pytest.param(labelled("a", "b"), {"a"}, labelled("b"), id="one-of-two"),
        pytest.param(labelled("a"), {"a"}, None, id="the-last"),
        pytest.param(labelled("a"), {"b"}, labelled("a"), id="not-ours"),
        pytest.param(labelled("a"), set(), labelled("a"), id="none"),
    ],
)
def test_released_labels_are_nobodys(owned: Fields, keys: set[str], expected: Fields | None) -> None:
    theirs = ManagedEntry("kubelet", "Update", fields_v1=labelled("a"))
    mine = ManagedEntry(OBJECTS_MANAGER, "Apply", fields_v1=owned)
    left = released_labels([theirs, mine], keys, OBJECTS_MANAGER)
    assert [entry.fields_v1 for entry in left if entry.manager == OBJECTS_MANAGER] == ([expected] if expected else [])
    assert theirs in left
