"""What the shipped webhook's configuration asks of the API server: for upstream's three kinds as upstream's does."""

from typing import Any

import yaml

from coordinator.admission.server import path_of
from tests.unit.coordinator.policies import ROOT

KINDS = ("HostDeviceNetwork", "NicClusterPolicy", "NicNodePolicy", "MacvlanNetwork", "IPoIBNetwork")
"""In their order; the last two upstream has no webhooks for."""
PLURALS = ("hostdevicenetworks", "nicclusterpolicies", "nicnodepolicies", "macvlannetworks", "ipoibnetworks")


def documents() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((ROOT / "deploy/webhook/webhook.yaml").read_text()))


def webhooks() -> list[dict[str, Any]]:
    (configuration,) = (each for each in documents() if each["kind"].endswith("WebhookConfiguration"))
    assert configuration["kind"] == "ValidatingWebhookConfiguration"
    found: list[dict[str, Any]] = configuration["webhooks"]
    return found


def test_upstreams_names_and_order() -> None:
    names = [webhook["name"] for webhook in webhooks()]
    assert names[:3] == ["vhostdevicenetwork.kb.io", "vnicclusterpolicy.kb.io", "vnicnodepolicy.kb.io"]
    assert len(names) == len(KINDS)


def test_writes_of_whole_objects_are_asked_about_and_never_let_pass_unasked() -> None:
    for webhook, plural in zip(webhooks(), PLURALS, strict=True):
        assert webhook.keys() == {
            "name",
            "rules",
            "clientConfig",
            "failurePolicy",
            "sideEffects",
            "admissionReviewVersions",
        }
        assert webhook["rules"] == [
            {
                "apiGroups": ["mellanox.com"],
                "apiVersions": ["v1alpha1"],
                "operations": ["CREATE", "UPDATE"],
                "resources": [plural],
            }
        ]
        assert (webhook["failurePolicy"], webhook["sideEffects"]) == ("Fail", "None")
        assert webhook["admissionReviewVersions"] == ["v1"]


def test_each_kind_is_asked_about_where_it_is_answered() -> None:
    (service,) = (each for each in documents() if each["kind"] == "Service")
    for webhook, kind in zip(webhooks(), KINDS, strict=True):
        assert webhook["clientConfig"]["service"] == {
            "name": service["metadata"]["name"],
            "namespace": service["metadata"]["namespace"],
            "path": path_of(kind),
        }
