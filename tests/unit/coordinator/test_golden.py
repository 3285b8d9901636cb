"""Desired objects as people read them: tests/unit/golden/<state>/<case>.input.yaml makes <case>.output.yaml.

`pytest --update-golden` rewrites the outputs; the review is the diff.
"""

from pathlib import Path
from typing import Any

import pytest
import yaml

from coordinator.objects.desired import StateObjects, desired
from coordinator.objects.render import Renderer
from coordinator.policy import NicClusterPolicy
from coordinator.states import STATES
from coordinator.states.cluster import Cluster, NodePool, OpenShift, Scope
from coordinator.states.driver_tags import Away, DriverImage, Known, Refused, Tags

ROOT = Path(__file__).parents[3]
GOLDEN = ROOT / "tests/unit/golden"
CASES = sorted(GOLDEN.glob("*/*.input.yaml"))


class _Block(yaml.SafeDumper):
    """Multi-line text as a block, and no anchors: outputs are for reading."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Block.add_representer(str, _text)


def cluster_of(facts: dict[str, Any]) -> Cluster:
    if "scope" in facts:
        facts["scope"] = Scope(**facts["scope"])
    if "openshift" in facts:
        facts["openshift"] = OpenShift(**facts["openshift"])
    if "driver_tags" in facts:
        facts["driver_tags"] = dict(map(tags_of, facts["driver_tags"]))
    return Cluster(**facts | {"pools": tuple(map(pool_of, facts["pools"]))})


def pool_of(facts: dict[str, Any]) -> NodePool:
    frozen: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in facts.items()}
    return NodePool(**frozen)


def tags_of(facts: dict[str, Any]) -> tuple[DriverImage, Tags]:
    """`name`, `version` and either `known`, a list of tags, or why they are not: `refused` or `away`."""
    image = DriverImage(facts["name"], facts["version"], tuple(facts.get("pull_secrets", ())))
    if "known" in facts:
        return image, Known(frozenset(facts["known"]))
    return image, Refused(facts["refused"]) if "refused" in facts else Away(facts["away"])


def written(result: StateObjects) -> str:
    if result.problem is not None:
        return f"problem: {result.problem.message}\n"
    return yaml.dump_all(result.objects, Dumper=_Block, sort_keys=False, width=110, explicit_start=True)


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}/{path.name.split('.')[0]}")
def test_golden(path: Path, request: pytest.FixtureRequest) -> None:
    case = yaml.safe_load(path.read_text())
    policy = NicClusterPolicy.model_validate(case["policy"], extra="forbid")
    made = written(desired(policy, cluster_of(case["cluster"]), Renderer(ROOT / "templates"))[path.parent.name])
    output = path.with_name(path.name.replace(".input.", ".output."))
    if request.config.getoption("--update-golden"):
        output.write_text(made)
    assert made == output.read_text()


def test_every_state_has_a_case() -> None:
    assert {path.parent.name for path in CASES} == {state.name for state in STATES}


def test_no_account_has_pull_secrets() -> None:
    """An account's list of them is one value with one owner, and others have theirs there: ours stand in the pods."""
    texts = [path.with_name(path.name.replace(".input.", ".output.")).read_text() for path in CASES]
    objects = [obj for text in texts if text.startswith("---") for obj in yaml.safe_load_all(text)]
    accounts = [obj for obj in objects if obj["kind"] == "ServiceAccount"]
    assert accounts
    assert [obj["metadata"]["name"] for obj in accounts if obj.keys() & {"secrets", "imagePullSecrets"}] == []
