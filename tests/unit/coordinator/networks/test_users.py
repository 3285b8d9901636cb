"""Which pods name a NetworkAttachmentDefinition, by the annotation that multus reads."""

import json

import msgspec
import pytest

from coordinator.kube.objects import Ref
from coordinator.networks.definition import NAD
from coordinator.networks.users import named, users


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        pytest.param("net", {("pods", "net")}, id="name"),
        pytest.param("other/net", {("other", "net")}, id="with-namespace"),
        pytest.param("other/net@net1, net2@eth1", {("other", "net"), ("pods", "net2")}, id="with-interfaces"),
        pytest.param('[{"name": "net", "ips": ["10.0.0.1/24"]}]', {("pods", "net")}, id="json"),
        pytest.param(
            ' [{"name": "a", "namespace": "x"}, {"name": "b", "namespace": ""}]', {("x", "a"), ("pods", "b")}, id="two"
        ),
        pytest.param("[{", set(), id="broken"),
        pytest.param('[1, {"name": 2}, {}]', set(), id="nonsense"),
    ],
)
def test_named(annotation: str, expected: set[tuple[str, str]]) -> None:
    assert named(annotation, "pods") == expected


def pod(name: str, annotation: str | None) -> msgspec.Raw:
    annotations = {"k8s.v1.cni.cncf.io/networks": annotation} if annotation is not None else {"else": "net"}
    return msgspec.Raw(
        json.dumps({"metadata": {"name": name, "namespace": "pods", "annotations": annotations}}).encode()
    )


def test_users_are_those_that_name_it_in_its_namespace() -> None:
    bare = msgspec.Raw(b'{"metadata": {"name": "bare", "namespace": "pods"}}')
    seen = [pod("one", "net"), pod("two", "other/net"), pod("three", None), pod("four", "x, pods/net"), bare]
    net, x = Ref(NAD, "pods", "net"), Ref(NAD, "pods", "x")
    assert list(users(seen, [net])) == [(net, "pods/one"), (net, "pods/four")]
    assert sorted(users(seen, [net, x])) == [(net, "pods/four"), (net, "pods/one"), (x, "pods/four")]
