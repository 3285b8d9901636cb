"""Events on a real API server: one for one thing, however often it is told."""

import logging
from typing import Any

import pytest

from coordinator.kube.client import Kube
from coordinator.kube.recorder import EventRecorder, Regarding
from tests.controlplane.cluster import ControlPlane


async def test_an_event_about_a_cluster_scoped_object_is_told_once_per_generation(
    installed: ControlPlane, kube: Kube, policy: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    metadata = policy["metadata"]
    recorder = EventRecorder(kube)

    with caplog.at_level(logging.WARNING):
        for generation in (1, 1, 2):
            about = Regarding(
                policy["apiVersion"], policy["kind"], metadata["name"], metadata["uid"], generation=generation
            )
            await recorder.record(about, "DaemonSet x", "DriftRepaired", "x" * 2000, "Warning")

    found = installed.get("events", "--namespace=default", f"--field-selector=involvedObject.uid={metadata['uid']}")
    assert [event["reason"] for event in found["items"]] == ["DriftRepaired", "DriftRepaired"]
    assert caplog.records == []
    (note, _) = await notes(installed, metadata["uid"])
    assert note.reason == "DriftRepaired"


async def notes(cluster: ControlPlane, uid: str) -> tuple[Any, ...]:
    """As read by our own client; as administrator, since the coordinator reads Events only in its namespace."""
    admin = await Kube.connect(cluster.kubeconfig)
    try:
        return await admin.events("default", f"involvedObject.uid={uid},reason=DriftRepaired")
    finally:
        await admin.close()
