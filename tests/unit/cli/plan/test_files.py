"""FILEs and inventories from the disk."""

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from cli.__main__ import app
from cli.plan import files
from cli.plan.documents import Unusable
from tests import hosts
from tests.unit.cli.plan.test_documents import NETWORK, POLICY


def of_host(root: Path, name: str) -> Path:
    host = root / name
    hosts.connectx5(host)
    return host


def nicfleet(*arguments: str | Path) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_one_host_in_all_its_forms(tmp_path: Path) -> None:
    """A tree, its record, and what inspect shows of it: one inventory."""
    tree = of_host(tmp_path, "worker")
    nicfleet("record", "--host-root", tree, "-o", tmp_path / "worker.tar.gz")
    for form in ("json", "yaml"):
        (tmp_path / f"shown.{form}").write_text(nicfleet("inspect", "--host-root", tree, "-o", form))

    found = [
        files.hosts([path]).inventories
        for path in (tree, tmp_path / "worker.tar.gz", tmp_path / "shown.json", tmp_path / "shown.yaml")
    ]

    assert found[0].keys() == {"worker"}
    assert all(each == found[0] for each in found)


def test_nodes_as_kubectl_prints_them(tmp_path: Path) -> None:
    taint = {"key": "gpu", "effect": "NoSchedule"}
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "worker", "labels": {"role": "gpu"}}}
    file = tmp_path / "nodes.yaml"
    file.write_text(yaml.safe_dump({"kind": "List", "items": [node | {"spec": {"taints": [taint]}}]}))

    (found,) = files.hosts([file]).nodes.values()

    assert (found.name, found.labels, found.taints[0].key) == ("worker", {"role": "gpu"}, "gpu")


def test_a_folder_is_all_its_yaml_and_json(tmp_path: Path) -> None:
    (tmp_path / "b.json").write_text(json.dumps(yaml.safe_load(NETWORK)))
    (tmp_path / "a.yaml").write_text(POLICY)
    (tmp_path / "README.md").write_text("not this")

    found = files.given([str(tmp_path)])

    assert [(each.kind, Path(each.source).name) for each in found.documents] == [
        ("NicClusterPolicy", "a.yaml"),
        ("MacvlanNetwork", "b.json"),
    ]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        pytest.param("a: b", "{path} is no inventory: give a file of nicfleet record,", id="something-else"),
        pytest.param("a: [", "{path} is not valid YAML at line 1", id="not-yaml"),
        pytest.param(
            '{"node": {"name": "x", "nosuch": 1}}', "{path} is no inventory of this version: ", id="another-version"
        ),
        pytest.param(
            '{"kind": "Node", "metadata": {}}', "{path} has a Node that cannot be used: ", id="a-node-without-name"
        ),
        pytest.param("\x1f\x8b", "{path} is not a recorded host", id="a-broken-archive"),
    ],
)
def test_what_is_no_inventory(tmp_path: Path, content: str, sentence: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(Unusable) as refused:
        files.hosts([path])
    assert str(refused.value).startswith(f"--inventory: {sentence.format(path=path)}")


def test_a_node_has_one_inventory(tmp_path: Path) -> None:
    first, second = of_host(tmp_path / "a", "worker"), of_host(tmp_path / "b", "worker")
    with pytest.raises(Unusable, match="is another inventory of node worker: give one of each node"):
        files.hosts([first, second])


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match=r"-f: cannot read .*nosuch: No such file or directory"):
        files.given([str(tmp_path / "nosuch")])
    with pytest.raises(Unusable, match=r"--inventory: cannot read .*nosuch: No such file or directory"):
        files.hosts([tmp_path / "nosuch"])
    with pytest.raises(Unusable, match=r"-f: the folder .* has no file that ends in .yaml, .yml, .json"):
        files.given([str(tmp_path)])
