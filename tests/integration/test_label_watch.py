"""The watch that the story on real nodes trusts: it misses nothing, or says that it did."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from nicfleet import names
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.errors import ControlPlaneError
from tests.controlplane.nodes import fake_node
from tests.e2e.watcher import LabelWatch, lacking

NODE = "label-watch"
LABEL = f"{names.GENERATION_PREFIX}connectx-5"


@pytest.fixture
def node(cluster: ControlPlane) -> Iterator[str]:
    cluster.apply(fake_node(NODE, labels={LABEL: "true"}))
    yield NODE
    cluster.kubectl("delete", "node", NODE)


def test_a_label_that_was_away_for_a_moment_is_seen(cluster: ControlPlane, node: str, tmp_path: Path) -> None:
    with LabelWatch(cluster, tmp_path / "watch") as watch:
        kept = watch.seen(node)
        cluster.kubectl("label", "node", node, f"{LABEL}-")
        cluster.kubectl("label", "node", node, f"{LABEL}=true")
        seen = watch.seen(node)
    assert len(kept) >= 2
    assert lacking(kept, {LABEL}) == []
    assert len(lacking(seen, {LABEL})) >= 1
    assert seen[-1].ours == {LABEL: "true"}


def test_a_watch_that_ended_is_no_proof(cluster: ControlPlane, node: str, tmp_path: Path) -> None:
    with LabelWatch(cluster, tmp_path / "watch") as watch:
        assert watch.seen(node)
        cluster.restart_apiserver()
        with pytest.raises(ControlPlaneError, match="the watch ended before"):
            watch.seen(node)
