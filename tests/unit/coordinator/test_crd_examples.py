"""No rule of ours refuses an example, or a file that users have had for years."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from coordinator.admission.review import MODELS
from coordinator.admission.rules import problems
from coordinator.networks.definition import network_problems
from coordinator.networks.users import NETWORKS_ANNOTATION, named
from coordinator.policy import InvalidSpec, NicClusterPolicy, NicNodePolicy
from tests.unit.coordinator.policies import ROOT

EXAMPLES = ROOT / "deploy/examples"
FILES = sorted([*EXAMPLES.rglob("*.yaml"), *(ROOT / "tests/yaml").rglob("*.yaml")])
REFUSED = "ib-kubernetes-without-a-range.yaml"


def without_nulls(value: Any) -> Any:
    """As the API server drops them."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


def mistakes(path: Path) -> list[InvalidSpec]:
    found: list[InvalidSpec] = []
    for document in yaml.safe_load_all(path.read_text()):
        if document["kind"] in MODELS:
            judged = MODELS[document["kind"]].model_validate(without_nulls(document))
            if isinstance(judged, NicClusterPolicy | NicNodePolicy):
                found += problems(judged)
            else:
                found += network_problems(judged)
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_wrong_with_it(path: Path) -> None:
    if path.name != REFUSED:
        assert [str(mistake) for mistake in mistakes(path)] == []


def test_what_an_old_file_lacks_is_named_field_by_field() -> None:
    (path,) = (path for path in FILES if path.name == REFUSED)
    assert [mistake.field for mistake in mistakes(path)] == [
        "spec.ibKubernetes.pKeyGUIDPoolRangeStart",
        "spec.ibKubernetes.pKeyGUIDPoolRangeEnd",
        "spec.ibKubernetes.ufmSecret",
    ]


def test_every_network_that_a_pod_names_is_an_example() -> None:
    """Upstream's pods name one that no file of theirs makes."""
    documents = [document for path in EXAMPLES.rglob("*.yaml") for document in yaml.safe_load_all(path.read_text())]
    made = {
        (document["spec"]["networkNamespace"], document["metadata"]["name"])
        for document in documents
        if document["kind"].endswith("Network")
    }
    annotations = [
        document["metadata"]["annotations"][NETWORKS_ANNOTATION] for document in documents if document["kind"] == "Pod"
    ]
    asked = {network for annotation in annotations for network in named(annotation, "default")}
    assert asked
    assert asked <= made


def test_the_readme_says_what_each_example_is_for() -> None:
    named = re.findall(r"^\| `([^`]+)` \|", (EXAMPLES / "README.md").read_text(), re.MULTILINE)
    there = {path.name for path in EXAMPLES.iterdir()} - {"README.md"}
    assert sorted(named) == sorted(there)
