"""Image references: what fills what, and what no registry would take."""

from typing import Any

import pytest

from coordinator.policy import ImageSpec, InvalidSpec
from coordinator.states.images import image_reference, own_versions, pull_secrets
from tests.unit.coordinator.policies import image, spec

DIGEST = "sha256:" + "0123456789abcdef" * 4


def made(fields: dict[str, Any], global_: dict[str, Any] | None = None) -> str:
    return image_reference("spec.x", ImageSpec.model_validate(fields), spec(**{"global": global_} if global_ else {}))


@pytest.mark.parametrize(
    ("fields", "global_", "expected"),
    [
        pytest.param(
            image(), None, "nvcr.io/nvidia/mellanox/doca-driver:25.07-0.9.7.0-0", id="repository-image-version"
        ),
        pytest.param(image(version=DIGEST), None, f"nvcr.io/nvidia/mellanox/doca-driver@{DIGEST}", id="digest"),
        pytest.param({"image": "a"}, {"repository": "r.io", "version": "v1"}, "r.io/a:v1", id="global-fills-both"),
        pytest.param(image("a", repository="localhost", version="1"), None, "localhost/a:1", id="localhost"),
        pytest.param(image("a", repository="Host:5000", version="1"), None, "Host:5000/a:1", id="capitals-in-host"),
        pytest.param(image("a", repository="team", version="1"), None, "team/a:1", id="default-registry"),
        pytest.param(
            image("a"),
            {"repository": "r.io", "version": "v1"},
            "nvcr.io/nvidia/mellanox/a:25.07-0.9.7.0-0",
            id="own-wins",
        ),
        pytest.param(
            image("doca_telemetry", repository="registry:5000/path", version="1"),
            None,
            "registry:5000/path/doca_telemetry:1",
            id="port",
        ),
        pytest.param(image("a", repository="[::1]:5000/x", version="1"), None, "[::1]:5000/x/a:1", id="ipv6-host"),
    ],
)
def test_reference(fields: dict[str, Any], global_: dict[str, Any] | None, expected: str) -> None:
    assert made(fields, global_) == expected


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        pytest.param({"image": "a", "version": "1"}, "spec.x.repository is missing: ", id="no-repository"),
        pytest.param({"image": "a", "repository": "r"}, "spec.x.version is missing: ", id="no-version"),
        pytest.param(image(version=""), "spec.x.version is missing: ", id="empty-version"),
        pytest.param(image(repository="https://r.io"), "spec.x.repository is 'https://r.io', ", id="scheme"),
        pytest.param(image(repository="r.io/Team"), "spec.x.repository is 'r.io/Team', ", id="capitals-in-path"),
        pytest.param(image(repository="Team"), "spec.x.repository is 'Team', ", id="capitals-that-are-no-host"),
        pytest.param(image(repository="r.io/"), "spec.x.repository is ", id="slash-at-end"),
        pytest.param(image(repository="r.io//a"), "spec.x.repository is ", id="double-slash"),
        pytest.param(image(repository="r.io/-a"), "spec.x.repository is ", id="hyphen-at-start"),
        pytest.param(image(repository="r.io/a b"), "spec.x.repository is ", id="blank"),
        pytest.param(image(repository="r.io/a:1"), "spec.x.repository is ", id="tag-in-repository"),
        pytest.param(image(repository="r.io\n"), "spec.x.repository is 'r.io\\n', ", id="newline"),
        pytest.param(image(repository="r/" + "a" * 255), "spec.x.repository is ", id="repository-too-long"),
        pytest.param(image(repository=f"r.io/a@{DIGEST}"), "spec.x.repository is ", id="digest-in-repository"),
        pytest.param(image("a:1"), "spec.x.image is 'a:1', ", id="tag-in-image"),
        pytest.param(image("a" * 240), "spec.x.image is ", id="name-too-long"),
        pytest.param(image(version="1 2"), "spec.x.version gives the tag '1 2'", id="blank-in-tag"),
        pytest.param(image(version="v" * 129), "spec.x.version gives the tag ", id="tag-too-long"),
        pytest.param(image(version="1\n"), "spec.x.version gives the tag ", id="newline-in-tag"),
        pytest.param(
            image(version="sha256:abc"), "spec.x.version is 'sha256:abc', which is no digest: ", id="short-digest"
        ),
    ],
)
def test_impossible_reference(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidSpec) as raised:
        made(fields)
    assert str(raised.value).startswith(sentence)


def test_all_parts_are_told_at_once_and_each_where_it_stands() -> None:
    with pytest.raises(InvalidSpec) as raised:
        made({"image": "a"}, {"repository": "R/b", "version": "-1"})
    assert [problem.field for problem in raised.value.each] == ["spec.global.repository", "spec.global.version"]


@pytest.mark.parametrize(
    ("own", "global_", "expected"),
    [
        pytest.param(["a", "b"], ["g"], ["a", "b"], id="own-in-order"),
        pytest.param([], ["g"], ["g"], id="global-when-empty"),
        pytest.param(["a", "b", "a"], None, ["a", "b"], id="each-once"),
        pytest.param([], None, [], id="none"),
    ],
)
def test_pull_secrets(own: list[str], global_: list[str] | None, expected: list[str]) -> None:
    policy = spec(**{"global": {"imagePullSecrets": global_}})
    found = pull_secrets(ImageSpec.model_validate(image(imagePullSecrets=own)), policy)
    assert found == [{"name": name} for name in expected]


@pytest.mark.parametrize(
    ("sections", "found"),
    [
        pytest.param({"nvIpam": image(version="v1")}, (), id="nothing-in-common"),
        pytest.param({"global": {"version": "v1"}, "nvIpam": image(version=None)}, (), id="left-to-the-common-one"),
        pytest.param({"global": {"version": "v1"}, "nvIpam": image(version="v1")}, (), id="the-same"),
        pytest.param(
            {"global": {"version": "v1"}, "nvIpam": image(version="v2")}, ("spec.nvIpam.version is v2",), id="another"
        ),
    ],
)
def test_own_versions(sections: dict[str, Any], found: tuple[str, ...]) -> None:
    assert own_versions("spec.nvIpam", spec(**sections)) == found


def test_both_images_of_the_nic_configuration_operator_count() -> None:
    images = {"operator": image(version="v2"), "configurationDaemon": image(version="v3")}
    asked = spec(**{"global": {"version": "v1"}, "nicConfigurationOperator": images})
    assert own_versions("spec.nicConfigurationOperator", asked) == (
        "spec.nicConfigurationOperator.operator.version is v2",
        "spec.nicConfigurationOperator.configurationDaemon.version is v3",
    )
