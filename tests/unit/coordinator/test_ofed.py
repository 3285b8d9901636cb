"""The driver's state: which image a pool runs, what its pods mount, and what is refused."""

from dataclasses import replace
from typing import Any

import pytest

from coordinator.policy import InvalidSpec
from coordinator.states import NotYet, ofed
from coordinator.states.cluster import Cluster, OpenShift
from coordinator.states.driver_tags import Away, DriverImage, Known, Pending, Refused, Tags
from coordinator.states.ofed_images import looked_up
from tests.unit.coordinator.policies import POOL, cluster, image, spec

NAME = "nvcr.io/nvidia/mellanox/doca-driver"
VERSION = "25.07-0.9.7.0-0"
ASKED = DriverImage(NAME, VERSION)
TAG = f"{VERSION}-5.15.0-78-generic-ubuntu22.04-amd64"
PRECOMPILED = f"{NAME}:{TAG}"
BUILDING = f"{NAME}:{VERSION}-ubuntu22.04-amd64"
EARLIER = f"{NAME}:25.04-0.6.1.0-2-5.15.0-78-generic-ubuntu22.04-amd64"
DIGEST = "sha256:" + "0123456789abcdef" * 4

RHCOS = replace(POOL, name="rhcos4.16-1", os_id="rhcos", os_version="4.16", ostree_versions=("416.94.1", "416.94.2"))


def looked_at(tags: Tags | None, live: str = "") -> Cluster:
    """One pool, what its DaemonSet runs, and what the registry says."""
    pool = replace(POOL, live_images={"mofed-container": live} if live else {})
    return replace(cluster(pool), driver_tags={} if tags is None else {ASKED: tags})


def pools(where: Cluster, **driver: Any) -> list[dict[str, Any]]:
    values = ofed.STATE.values(spec(ofedDriver=image(**driver)), where)
    assert values is not None
    found: list[dict[str, Any]] = values["pools"]  # type: ignore[assignment]  # template values are objects
    return found


def refusal(where: Cluster, **driver: Any) -> str:
    with pytest.raises(InvalidSpec) as raised:
        pools(where, **driver)
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize(
    ("tags", "live", "expected", "told"),
    [
        pytest.param(Known(frozenset({TAG})), "", PRECOMPILED, "", id="precompiled"),
        pytest.param(Known(frozenset({TAG})), BUILDING, PRECOMPILED, "", id="precompiled-since"),
        pytest.param(Known(frozenset()), "", BUILDING, "", id="not-precompiled"),
        pytest.param(Known(frozenset()), PRECOMPILED, BUILDING, "", id="no-longer-precompiled"),
        pytest.param(None, PRECOMPILED, BUILDING, "", id="nobody-asks"),
        pytest.param(Pending(), PRECOMPILED, PRECOMPILED, "", id="pending-and-precompiled-runs"),
        pytest.param(Pending(), BUILDING, BUILDING, "", id="pending-and-building-runs"),
        pytest.param(
            Away("no connection"),
            PRECOMPILED,
            PRECOMPILED,
            f"it is not known whether {NAME} has precompiled images, as no connection: "
            f"the precompiled image stays on {POOL.name}",
            id="away-and-precompiled-runs",
        ),
        pytest.param(
            Away("no connection"),
            "",
            BUILDING,
            f"it is not known whether {NAME} has precompiled images, as no connection: "
            f"the driver is built on the nodes of {POOL.name}",
            id="away",
        ),
        pytest.param(Away("x"), EARLIER, BUILDING, "it is not known whether", id="away-and-another-version-runs"),
        pytest.param(Refused("401"), "", BUILDING, "it is not known whether", id="refused"),
        pytest.param(Refused("401"), PRECOMPILED, PRECOMPILED, "it is not known whether", id="refused-and-it-runs"),
    ],
)
def test_image(tags: Tags | None, live: str, expected: str, told: str) -> None:
    where = looked_at(tags, live)
    assert [pool["image"] for pool in pools(where)] == [expected]
    caveats = ofed.STATE.caveats(spec(ofedDriver=image()), where)
    assert bool(caveats) is bool(told)
    assert all(caveat.startswith(told) for caveat in caveats)


@pytest.mark.parametrize(
    ("force", "tags", "live", "sentence"),
    [
        pytest.param(False, Pending(), "", "it is not known yet whether there is the precompiled image", id="pending"),
        pytest.param(False, Pending(), EARLIER, "it is not known yet whether", id="pending-for-a-new-version"),
        pytest.param(
            True,
            Pending(),
            BUILDING,
            f"it is not known whether there is the precompiled image {PRECOMPILED}, as the registry is being asked",
            id="forced-and-pending",
        ),
        pytest.param(
            True,
            Refused("401"),
            "",
            f"it is not known whether there is the precompiled image {PRECOMPILED}, as 401",
            id="forced-and-refused",
        ),
        pytest.param(True, Away("no connection"), "", "it is not known whether", id="forced-and-away"),
    ],
)
def test_it_waits_for_the_registry(force: bool, tags: Tags, live: str, sentence: str) -> None:
    with pytest.raises(NotYet) as raised:
        pools(looked_at(tags, live), forcePrecompiled=force)
    assert str(raised.value).startswith(sentence)


@pytest.mark.parametrize(
    ("where", "driver", "expected"),
    [
        pytest.param(looked_at(Known(frozenset({TAG}))), {}, PRECOMPILED, id="known"),
        pytest.param(looked_at(Away("x"), PRECOMPILED), {}, PRECOMPILED, id="away-and-it-runs"),
        pytest.param(looked_at(Pending(), PRECOMPILED), {}, PRECOMPILED, id="pending-and-it-runs"),
        pytest.param(looked_at(None), {"version": DIGEST}, f"{NAME}@{DIGEST}", id="digest"),
    ],
)
def test_forced_precompiled(where: Cluster, driver: dict[str, Any], expected: str) -> None:
    assert [pool["image"] for pool in pools(where, forcePrecompiled=True, **driver)] == [expected]


def test_forced_precompiled_and_there_is_none() -> None:
    assert refusal(looked_at(Known(frozenset())), forcePrecompiled=True) == (
        f"spec.ofedDriver.forcePrecompiled is set, and there is no precompiled image {PRECOMPILED}: use a version that "
        "the registry has for this kernel, or let the driver be built on the node"
    )


def test_forced_precompiled_and_nobody_asks() -> None:
    assert "is told to ask no registry" in refusal(looked_at(None), forcePrecompiled=True)


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        pytest.param({}, None, id="no-driver"),
        pytest.param({"ofedDriver": image(version=DIGEST)}, None, id="digest"),
        pytest.param({"ofedDriver": image(version="latest")}, None, id="no-version-of-a-driver"),
        pytest.param(
            {"ofedDriver": image(imagePullSecrets=["b", "a"])}, DriverImage(NAME, VERSION, ("b", "a")), id="own"
        ),
        pytest.param(
            {
                "global": {"repository": "example.com/mirror", "version": VERSION, "imagePullSecrets": ["s"]},
                "ofedDriver": {"image": "doca-driver"},
            },
            DriverImage("example.com/mirror/doca-driver", VERSION, ("s",)),
            id="from-global",
        ),
    ],
)
def test_what_is_looked_up(sections: dict[str, Any], expected: DriverImage | None) -> None:
    assert looked_up(spec(**sections)) == expected


@pytest.mark.parametrize(
    "version",
    [
        "23.10-0.2.2.0",
        "5.6-1.0.3.3",
        "5.9-0.5.6.0",
        "23.04-0.5.3.3.1",
        "24.01-0.3.3.1-0",
        "25.04-0.6.1.0-2",
        "26.01-0.9.5.0.810-0",
        "1.2-3",
        "25.01-0.6.0.0-0-6.8.0-1019-oracle-ubuntu22.04-arm64",
        "doca3.1-24.01-0.3.3.1-0",
        "doca3.1.0-25.07-0.9.7.0-0",
        "doca3.5.0-26.07-0.7.0.0-0",
        "doca3.1-25.07-0.9.7.0-0-5.14.0-427.87.1.el9_4.x86_64-rhcos4.18-amd64",
        DIGEST,
    ],
)
def test_versions_of_drivers(version: str) -> None:
    assert pools(cluster(POOL), version=version)
    inherited = spec(**{"global": {"version": version}}, ofedDriver={"image": "doca-driver", "repository": "a.io/b"})
    assert ofed.STATE.values(inherited, cluster(POOL)) is not None


@pytest.mark.parametrize(
    "version",
    [
        "latest",
        "26.01-abc",
        "doca3.1-24.01-0.3.3.1",
        "doca3.1-26.01-0.9.5.0.810-0",
        "25.07-0.9.7.0-0\n",
        "٢٥.07-0.9.7.0-0",
        "sha256:1234",
        DIGEST.upper(),
        "1.1-1" + "-" * 5000 + "!",
    ],
    ids=lambda version: version[:30].strip(),
)
def test_no_versions_of_drivers(version: str) -> None:
    assert refusal(cluster(POOL), version=version).startswith("spec.ofedDriver.version ")


def test_a_version_that_spec_global_gives_is_named_there() -> None:
    inherited = spec(**{"global": {"version": "v1.2.3"}}, ofedDriver={"image": "doca-driver", "repository": "a.io/b"})
    with pytest.raises(InvalidSpec) as raised:
        ofed.STATE.values(inherited, cluster(POOL))
    assert str(raised.value).startswith(
        "spec.global.version is 'v1.2.3', which is no driver version: set spec.ofedDriver.version"
    )


@pytest.mark.parametrize(
    ("driver", "sentence"),
    [
        pytest.param(
            {"certConfig": {"name": "certs"}},
            "spec.ofedDriver.certConfig.name is 'certs', and namespace nvidia-network-operator has no such ConfigMap: "
            "make it there, or correct the name",
            id="no-certificates",
        ),
        pytest.param(
            {"repoConfig": {"name": "repos"}},
            "spec.ofedDriver.repoConfig.name is 'repos', and namespace",
            id="no-repositories",
        ),
        pytest.param(
            {"upgradePolicy": {"safeLoad": True}},
            "spec.ofedDriver.upgradePolicy.safeLoad is true, which needs spec.ofedDriver.upgradePolicy.autoUpgrade: ",
            id="safe-load-alone",
        ),
        pytest.param(
            {"version": f"{VERSION}-{'1' * 100}"},
            "spec.ofedDriver.version gives the tag '25.07",
            id="tag-too-long-with-os-and-arch",
        ),
        pytest.param(
            {"containerResources": [{"name": "openshift-driver-toolkit-ctr"}]},
            "spec.ofedDriver.containerResources[0].name is 'openshift-driver-toolkit-ctr', a container",
            id="toolkit-elsewhere",
        ),
    ],
)
def test_mistakes(driver: dict[str, Any], sentence: str) -> None:
    assert refusal(cluster(POOL), **driver).startswith(sentence)


def test_all_mistakes_are_told_at_once() -> None:
    told = refusal(
        cluster(POOL),
        version="latest",
        repository="https://x",
        certConfig={"name": "c"},
        repoConfig={"name": "r"},
        upgradePolicy={"safeLoad": True},
    )
    assert [part.split(" ")[0] for part in told.split("; ")] == [
        "spec.ofedDriver.certConfig.name",
        "spec.ofedDriver.repoConfig.name",
        "spec.ofedDriver.upgradePolicy.safeLoad",
        "spec.ofedDriver.repository",
        "spec.ofedDriver.version",
    ]


CERTIFICATES: dict[str, Any] = {"certConfig": {"name": "own"}}
REPOSITORIES: dict[str, Any] = {"repoConfig": {"name": "own"}}


@pytest.mark.parametrize(
    ("os_id", "driver", "folder"),
    [
        pytest.param("ubuntu", CERTIFICATES, "/usr/local/share/ca-certificates", id="ubuntu-certificates"),
        pytest.param("rhcos", CERTIFICATES, "/etc/pki/ca-trust/extracted/pem", id="rhcos-certificates"),
        pytest.param("rhel", CERTIFICATES, "/etc/pki/ca-trust/extracted/pem", id="rhel-certificates"),
        pytest.param("sles", CERTIFICATES, "/etc/ssl", id="sles-certificates"),
        pytest.param("ubuntu", REPOSITORIES, "/etc/apt/sources.list.d", id="ubuntu-repositories"),
        pytest.param("rhcos", REPOSITORIES, "/etc/yum.repos.d", id="rhcos-repositories"),
        pytest.param("rhel", REPOSITORIES, "/etc/yum.repos.d", id="rhel-repositories"),
        pytest.param("sles", REPOSITORIES, "/etc/zypp/repos.d", id="sles-repositories"),
    ],
)
def test_where_config_maps_are_mounted(os_id: str, driver: dict[str, Any], folder: str) -> None:
    where = replace(cluster(replace(POOL, os_id=os_id)), config_maps={"own": {"b.conf": "", "a.conf": ""}})
    (pool,) = pools(where, **driver)
    assert [mount for mount in pool["mounts"] if mount["name"] == "own"] == [
        {"name": "own", "mountPath": f"{folder}/a.conf", "subPath": "a.conf", "readOnly": True},
        {"name": "own", "mountPath": f"{folder}/b.conf", "subPath": "b.conf", "readOnly": True},
    ]
    items = [{"key": "a.conf", "path": "a.conf"}, {"key": "b.conf", "path": "b.conf"}]
    assert {"name": "own", "configMap": {"name": "own", "items": items}} in pool["volumes"]


def test_one_config_map_for_both_is_one_volume() -> None:
    where = replace(cluster(POOL), config_maps={"own": {"a": ""}})
    (pool,) = pools(where, **CERTIFICATES, **REPOSITORIES)
    assert [volume["name"] for volume in pool["volumes"]] == ["own"]
    assert [mount["mountPath"] for mount in pool["mounts"]] == [
        "/usr/local/share/ca-certificates/a",
        "/etc/apt/sources.list.d/a",
    ]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("own.certs", id="dots"),
        pytest.param("a" * 64, id="long"),
        pytest.param("host-etc", id="a-volume-of-every-driver-pod"),
    ],
)
def test_names_that_a_volume_cannot_have(name: str) -> None:
    where = replace(cluster(POOL), config_maps={name: {"a": ""}})
    (pool,) = pools(where, certConfig={"name": name})
    (volume,), (mount,) = pool["volumes"], pool["mounts"]
    assert volume["configMap"]["name"] == name
    assert volume["name"] == mount["name"]
    assert volume["name"].startswith("config-")
    assert len(volume["name"]) < 64


def test_an_operating_system_without_known_places() -> None:
    where = replace(cluster(replace(POOL, name="odd1-1", os_id="odd", os_version="1")), config_maps={"own": {"a": ""}})
    assert refusal(where, **CERTIFICATES).startswith(
        "spec.ofedDriver.certConfig has no known place on odd 1 (node pool odd1-1): "
    )


@pytest.mark.parametrize(
    ("os_id", "runtimes", "mounted"),
    [
        pytest.param("ubuntu", ("containerd",), [], id="ubuntu"),
        pytest.param("rhcos", ("cri-o",), [], id="rhcos"),
        pytest.param(
            "rhel",
            ("containerd",),
            ["/run/secrets/etc-pki-entitlement", "/run/secrets/redhat.repo", "/run/secrets/rhsm"],
            id="rhel",
        ),
        pytest.param("rhel", ("cri-o",), [], id="rhel-with-cri-o"),
        pytest.param("sles", ("cri-o",), ["/etc/SUSEConnect", "/etc/zypp/credentials.d"], id="sles"),
    ],
)
def test_subscriptions(os_id: str, runtimes: tuple[str, ...], mounted: list[str]) -> None:
    (pool,) = pools(cluster(replace(POOL, os_id=os_id, runtimes=runtimes)))
    assert [mount["mountPath"] for mount in pool["mounts"]] == mounted
    assert len(pool["volumes"]) == len(mounted)


TOOLKITS = {"416.94.1": "dtk:1", "416.94.2": "dtk:2"}


def on_openshift(live: str = "", ostree_versions: tuple[str, ...] = ("416.94.1",), **facts: Any) -> Cluster:
    images = {"openshift-driver-toolkit-ctr": live} if live else {}
    pool = replace(RHCOS, live_images=images, ostree_versions=ostree_versions)
    return replace(cluster(pool), openshift=OpenShift(**{"toolkits": TOOLKITS, **facts}))


@pytest.mark.parametrize(
    ("where", "driver", "expected"),
    [
        pytest.param(on_openshift(), {}, "dtk:1", id="of-its-version"),
        pytest.param(on_openshift(ostree_versions=("416.94.1", "416.94.2")), {}, "dtk:1", id="of-the-first-version"),
        pytest.param(on_openshift(ostree_versions=("416.93", "416.94.2")), {}, "dtk:2", id="of-a-version-it-has"),
        pytest.param(on_openshift("dtk:1", ("416.94.2",)), {}, "dtk:1", id="what-serves-the-kernel-stays"),
        pytest.param(on_openshift("dtk:0", ("416.94.2",)), {}, "dtk:2", id="what-is-no-longer-listed-goes"),
        pytest.param(on_openshift("dtk:0", toolkits=None), {}, "dtk:0", id="not-known-and-running"),
        pytest.param(on_openshift(use_toolkit=False), {}, None, id="switched-off"),
        pytest.param(on_openshift(), {"version": DIGEST}, None, id="digest"),
        pytest.param(cluster(RHCOS), {}, None, id="not-openshift"),
        pytest.param(
            replace(
                on_openshift(), driver_tags={ASKED: Known(frozenset({f"{VERSION}-{POOL.kernel}-rhcos4.16-amd64"}))}
            ),
            {},
            None,
            id="precompiled",
        ),
    ],
)
def test_toolkit(where: Cluster, driver: dict[str, Any], expected: str | None) -> None:
    (pool,) = pools(where, **driver)
    assert pool["toolkit"] == expected
    assert any(variable["name"] == "DTK_OCP_DRIVER_BUILD" for variable in pool["env"]) is bool(expected)


@pytest.mark.parametrize(
    ("where", "sentence"),
    [
        pytest.param(
            on_openshift(toolkits=None), "the images of the ImageStream openshift/driver-toolkit", id="not-seen"
        ),
        pytest.param(on_openshift(ostree_versions=()), "the nodes of pool rhcos4.16-1 lack the label ", id="no-label"),
        pytest.param(
            on_openshift(ostree_versions=("417.94",)),
            "the ImageStream openshift/driver-toolkit has no image for RHCOS 417.94",
            id="no-image",
        ),
        pytest.param(on_openshift(proxy=None), "OpenShift's cluster-wide proxy is not known yet", id="proxy"),
    ],
)
def test_it_waits_for_openshift(where: Cluster, sentence: str) -> None:
    with pytest.raises(NotYet) as raised:
        pools(where)
    assert str(raised.value).startswith(sentence)


PROXY = {"HTTPS_PROXY": "http://p:3128", "NO_PROXY": ".svc"}


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        pytest.param(
            {},
            {"HTTPS_PROXY": "http://p:3128", "https_proxy": "http://p:3128", "NO_PROXY": ".svc", "no_proxy": ".svc"},
            id="both-spellings",
        ),
        pytest.param(
            {"https_proxy": "mine"},
            {"https_proxy": "mine", "NO_PROXY": ".svc", "no_proxy": ".svc"},
            id="either-spelling-of-the-users-counts",
        ),
    ],
)
def test_proxy(own: dict[str, str], expected: dict[str, str]) -> None:
    env = [{"name": name, "value": value} for name, value in own.items()]
    (pool,) = pools(on_openshift(proxy=PROXY), env=env)
    found = {variable["name"]: variable["value"] for variable in pool["env"]}
    assert {name: value for name, value in found.items() if name.lower().endswith("_proxy")} == expected


def test_trusted_certificates_of_openshift_unless_the_policy_names_its_own() -> None:
    where = replace(on_openshift(trusted_ca=True), config_maps={"own": {"a": ""}})
    values = ofed.STATE.values(spec(ofedDriver=image()), where)
    assert values is not None
    assert values["trusted_ca"] == "ocp-network-operator-trusted-ca"
    (pool,) = pools(where)
    assert [mount["mountPath"] for mount in pool["mounts"]] == ["/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"]
    values = ofed.STATE.values(spec(ofedDriver=image(**CERTIFICATES)), where)
    assert values is not None
    assert values["trusted_ca"] is None


def test_variables_of_the_user_come_first_and_once() -> None:
    (pool,) = pools(on_openshift(), env=[{"name": "DTK_OCP_DRIVER_BUILD", "value": "false"}])
    names = [variable["name"] for variable in pool["env"]]
    assert len(names) == len(set(names))
    assert {"name": "DTK_OCP_DRIVER_BUILD", "value": "false"} in pool["env"]


def test_config_maps_that_it_reads() -> None:
    asked = spec(ofedDriver=image(certConfig={"name": "c"}, repoConfig={"name": "r"}))
    assert ofed.STATE.reads(asked, cluster().scope) == ("c", "r")
    assert ofed.STATE.reads(spec(ofedDriver=image(certConfig={})), cluster().scope) == ()
