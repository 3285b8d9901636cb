"""When a Pod of an earlier template runs what one of the present template would run."""

import json
from typing import Any

import msgspec
import pytest

from coordinator.objects.revisions import alike, as_current
from tests.unit.coordinator.views import pod

CONTAINER = {"name": "c", "image": "i:1"}


def template(**spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"labels": {"app": "x"}},
        "spec": {"containers": [CONTAINER], "nodeSelector": {"nic": "true"}} | spec,
    }


def revision(number: int, name: str, content: dict[str, Any]) -> msgspec.Raw:
    body = {
        "metadata": {"labels": {"app": "x", "controller-revision-hash": name}},
        "data": {"spec": {"template": content | {"$patch": "replace"}}},
        "revision": number,
    }
    return msgspec.Raw(json.dumps(body).encode())


@pytest.mark.parametrize(
    ("earlier", "same"),
    [
        pytest.param(template(), True, id="nothing"),
        pytest.param(template(nodeSelector={"nic": "true", "kubernetes.io/arch": "amd64"}), True, id="selector"),
        pytest.param(template(tolerations=[{"operator": "Exists"}]), True, id="tolerations"),
        pytest.param(template(affinity={"nodeAffinity": {}}), True, id="affinity"),
        pytest.param(template(containers=[CONTAINER | {"image": "i:0"}]), False, id="image"),
        pytest.param(template(initContainers=[CONTAINER]), False, id="init-container"),
        pytest.param(template(hostNetwork=True), False, id="network-of-the-host"),
        pytest.param(template() | {"metadata": {"labels": {"app": "y"}}}, False, id="label"),
    ],
)
def test_only_where_pods_may_run_is_no_difference(earlier: dict[str, Any], same: bool) -> None:
    found = alike([revision(1, "old", earlier), revision(2, "new", template())])
    assert found == ({"old", "new"} if same else {"new"})


def test_the_highest_number_is_the_present_one_whatever_the_order() -> None:
    """A template that comes back gets its old revision, with a new number."""
    other = template(hostNetwork=True)
    assert alike([revision(5, "back", template()), revision(4, "between", other)]) == {"back"}
    assert alike([revision(5, "back", template()), revision(6, "between", other)]) == {"between"}
    assert alike([]) == frozenset()


def test_pods_of_such_a_revision_count_as_current() -> None:
    old = pod("a", template_generation="1", labels={"controller-revision-hash": "old"})
    older = pod("b", template_generation="0", labels={"controller-revision-hash": "older"})
    bare = pod("c", template_generation="1")
    found = as_current([old, older, bare], "2", {"old", "new"})
    assert [each.template_generation for each in found] == ["2", "0", "1"]
