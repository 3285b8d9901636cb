"""The policy models read what users write: defaults level by level, names as upstream spells them."""

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from coordinator.policy import NicClusterPolicy, NicClusterPolicySpec
from tests.unit.coordinator.policies import ROOT, image, spec

EXAMPLES = sorted((ROOT / "deploy/examples").rglob("*nicclusterpolicy*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: str(path.relative_to(ROOT / "deploy/examples")))
def test_examples_have_no_unknown_field(path: Path) -> None:
    policy = NicClusterPolicy.model_validate(yaml.safe_load(path.read_text()), extra="forbid")
    assert policy.metadata.name == "nic-cluster-policy"


def test_both_examples_are_there() -> None:
    assert {path.name for path in EXAMPLES} >= {"nicclusterpolicy-whereabouts.yaml", "nicclusterpolicy-nv-ipam.yaml"}


def test_a_field_of_a_newer_crd_is_ignored() -> None:
    read = NicClusterPolicySpec.model_validate({"ofedDriver": image(fromTheFuture=1), "alsoNew": {}})
    assert read == spec(ofedDriver=image())


@pytest.mark.parametrize(
    ("upgrade", "expected"),
    [
        pytest.param({}, {"autoUpgrade": False, "maxParallelUpgrades": 1, "safeLoad": False}, id="no-drain-unasked"),
        pytest.param(
            {"drain": {}},
            {
                "autoUpgrade": False,
                "maxParallelUpgrades": 1,
                "safeLoad": False,
                "drain": {"enable": True, "force": False, "timeoutSeconds": 300, "deleteEmptyDir": False},
            },
            id="drain-has-its-own",
        ),
    ],
)
def test_defaults_apply_one_level_at_a_time(upgrade: object, expected: object) -> None:
    driver = spec(ofedDriver=image(upgradePolicy=upgrade)).ofed_driver
    assert driver is not None
    assert driver.upgrade_policy is not None
    assert driver.upgrade_policy.model_dump(by_alias=True, exclude_none=True) == expected


def test_names_that_camel_case_would_spell_differently() -> None:
    guids = {"pKeyGUIDPoolRangeStart": "02:00:00:00:00:00:00:00", "pKeyGUIDPoolRangeEnd": "02:FF:FF:FF:FF:FF:FF:FF"}
    read = spec(ibKubernetes=image(**guids), **{"global": {"repository": "r"}})
    assert read.ib_kubernetes is not None
    assert read.ib_kubernetes.model_dump(by_alias=True).items() >= guids.items()
    assert read.global_ is not None


@pytest.mark.parametrize(
    "sections",
    [
        pytest.param({"secondaryNetwork": {"ipamPlugin": image("whereabouts")}}, id="whereabouts"),
        pytest.param({"psp": {"enabled": True}}, id="pod-security-policies"),
        pytest.param({"nvIpam": image("nvidia-k8s-ipam", config="{}")}, id="nv-ipam-pools"),
        pytest.param({"ibKubernetes": image("ib-kubernetes")}, id="guid-range-was-optional"),
    ],
)
def test_sections_of_old_policies_load(sections: dict[str, object]) -> None:
    assert spec(**sections).model_dump(exclude_defaults=True)


def test_a_policy_cannot_be_changed_by_accident() -> None:
    with pytest.raises(ValidationError):
        spec().psp = None
