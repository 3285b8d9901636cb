"""What the chart makes of its values, and which it refuses. No cluster."""

import json
import os
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent.host import Host
from agent.inventory import read
from agent.settings import Settings as AgentSettings
from agent.settings import read as read_agent_settings
from coordinator.certificates.sources import names_of
from coordinator.crd import definitions
from coordinator.settings import read as read_coordinator_settings
from nicfleet import names
from nicfleet.inventory import Flavour, NodeName
from tests import host_driver, hosts
from tests.chart.helm import CHART, NAMESPACE, ROOT, Helm, one
from tests.chart.variants import CURRENT, OLD, VARIANTS
from tests.integration.system.processes import HostBuilder

COPIES = {"coordinator-rbac.yaml": "manifests/coordinator-rbac.yaml", "webhook.yaml": "webhook/webhook.yaml"}


def pods(objects: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The pod's spec of every workload, hook and test, by the name of its object."""
    found = {each["metadata"]["name"]: each for each in objects if each["kind"] in ("Deployment", "DaemonSet", "Job")}
    specs = {name: each["spec"]["template"]["spec"] for name, each in found.items()}
    return specs | {each["metadata"]["name"]: each["spec"] for each in objects if each["kind"] == "Pod"}


def images(objects: list[dict[str, Any]]) -> set[str]:
    """The images of all pods, and the one that the coordinator puts into others."""
    containers = [container for spec in pods(objects).values() for container in spec["containers"]]
    return {container["image"] for container in containers} | {
        variable["value"]
        for container in containers
        for variable in container.get("env", ())
        if variable["name"] == "OFED_INIT_CONTAINER_IMAGE"
    }


def environment(objects: list[dict[str, Any]]) -> dict[str, str]:
    """The coordinator's."""
    (container,) = pods(objects)["nicfleet-coordinator"]["containers"]
    return {each["name"]: each.get("value", NAMESPACE) for each in container["env"]}


@pytest.mark.parametrize("variant", VARIANTS)
def test_lint_finds_nothing(helm: Helm, variant: str) -> None:
    assert "0 chart(s) failed" in helm.run("lint", "--strict", CHART, values=VARIANTS[variant])


@pytest.mark.parametrize(("copy", "source"), COPIES.items())
def test_rules_and_webhooks_have_one_source(copy: str, source: str) -> None:
    """If this fails: cp deploy/SOURCE deploy/nicfleet/files/COPY."""
    assert (CHART / "files" / copy).read_bytes() == (ROOT / "deploy" / source).read_bytes()


def test_the_coordinator_has_the_rights_of_the_manifests_and_the_agent_none(helm: Helm) -> None:
    manifests = list(yaml.safe_load_all((ROOT / "deploy/manifests/coordinator-rbac.yaml").read_text()))
    objects = helm.template({"upgradeCRDs": False})

    for kind, ending in (("ClusterRole", "-coordinator"), ("Role", "-coordinator"), ("Role", "-events")):
        chart, shipped = one(objects, kind, ending), one(manifests, kind, ending)
        assert (chart["metadata"].get("namespace"), chart["rules"]) == (
            shipped["metadata"].get("namespace"),
            shipped["rules"],
        )
    account = {"kind": "ServiceAccount", "name": "nicfleet-coordinator", "namespace": NAMESPACE}
    bindings = [each for each in objects if each["kind"].endswith("Binding") and "hook" not in str(each["metadata"])]
    assert len(bindings) == 4  # with that of its certificate's Secret
    for binding in bindings:
        assert binding["subjects"] == [account]
        assert binding["roleRef"]["name"] == binding["metadata"]["name"]
    agent = pods(objects)["nicfleet-agent"]
    assert agent["serviceAccountName"] == "nicfleet-agent"
    assert agent["automountServiceAccountToken"] is False


def test_the_hook_may_bring_in_step_the_crds_that_there_are(helm: Helm) -> None:
    (rule,) = one(helm.template(), "ClusterRole", "-install-crds")["rules"]
    assert rule["resourceNames"] == sorted(crd["metadata"]["name"] for crd in definitions().values())
    assert rule["verbs"] == ["get", "create", "patch"]


@pytest.mark.parametrize("variant", VARIANTS)
def test_hooks_make_no_policy_and_no_node_rule(helm: Helm, variant: str) -> None:
    objects = helm.template(VARIANTS[variant])
    assert {each["kind"] for each in objects}.isdisjoint(
        {"NicClusterPolicy", "NicNodePolicy", "NodeFeatureRule", "CustomResourceDefinition"}
    )
    hooks = {each["kind"] for each in objects if "helm.sh/hook" in each["metadata"].get("annotations", {})}
    assert hooks <= {"ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "Job", "Pod"}


def test_no_pod_has_more_than_it_needs(helm: Helm) -> None:
    for name, spec in pods(helm.template()).items():
        (container,) = spec["containers"]
        security = container["securityContext"]
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert security["readOnlyRootFilesystem"] is True
        assert security["allowPrivilegeEscalation"] is False
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        if name != "nicfleet-agent":
            assert spec["securityContext"]["runAsNonRoot"] is True
            assert not any("hostPath" in volume for volume in spec.get("volumes", ()))
            assert "hostNetwork" not in spec


def test_the_agent_listens_on_loopback_and_its_mounts_are_read_only(helm: Helm) -> None:
    spec = pods(helm.template({"agent": {"port": 7555}}))["nicfleet-agent"]
    (container,) = spec["containers"]

    assert {"name": "NICFLEET_GRPC_LISTEN", "value": "127.0.0.1:7555"} in container["env"]
    assert container["ports"] == [{"name": "grpc", "containerPort": 7555, "hostPort": 7555, "hostIP": "127.0.0.1"}]
    assert all(mount["readOnly"] for mount in container["volumeMounts"])
    paths = {volume["name"]: volume["hostPath"]["path"] for volume in spec["volumes"] if "hostPath" in volume}
    of_host = [mount for mount in container["volumeMounts"] if mount["name"] in paths]
    assert all(mount["recursiveReadOnly"] for mount in of_host)
    assert {mount["name"]: mount["mountPath"] for mount in of_host} == {n: f"/host{p}" for n, p in paths.items()}
    assert not {"/", "/sys", "/proc", "/etc", "/run", "/var/lib/kubelet"} & set(paths.values())


@pytest.mark.parametrize("build", [hosts.connectx5, hosts.connectx6_infiniband, hosts.connectx6_lx])
def test_through_its_mounts_the_agent_sees_all_of_the_host(helm: Helm, tmp_path: Path, build: HostBuilder) -> None:
    host, seen = tmp_path / "host", tmp_path / "seen"
    build(host)
    host_driver.set_running(host, True)
    host_driver.load_driver(host, Flavour.OFED, "23.04-0.5.3")
    host_driver.set_ready(host, True)
    for volume in pods(helm.template())["nicfleet-agent"]["volumes"]:
        if "hostPath" in volume:
            _mount(host, seen, **volume["hostPath"])

    whole = read(Host.at(host), None, NodeName("worker-1"))

    assert whole.driver.container.running
    assert whole.functions
    assert read(Host.at(seen), None, NodeName("worker-1")) == whole


def test_a_rollout_of_agents_that_do_not_stay_up_stops_within_helms_own_patience(helm: Helm) -> None:
    spec = one(helm.template(), "DaemonSet", "-agent")["spec"]
    waves = 100 / int(spec["updateStrategy"]["rollingUpdate"]["maxUnavailable"].rstrip("%"))
    (container,) = spec["template"]["spec"]["containers"]
    probe = container["readinessProbe"]["periodSeconds"]

    assert spec["minReadySeconds"] > probe  # longer than what a probe is late to see it end
    assert waves * (spec["minReadySeconds"] + 2 * probe) <= 300


def test_directories_of_the_driver_container_can_be_left_out(helm: Helm, tmp_path: Path) -> None:
    """All that may be absent, and nothing else: the agent sees the same of a host that has none of them."""
    schema = json.loads((CHART / "values.schema.json").read_text())
    absent = schema["properties"]["agent"]["properties"]["absentDirectories"]["items"]["enum"]
    host, seen = tmp_path / "host", tmp_path / "seen"
    hosts.connectx5(host)
    host_driver.load_driver(host, Flavour.INBOX)
    assert not any((host / path.lstrip("/")).exists() for path in absent)
    default = pods(helm.template())["nicfleet-agent"]
    spec = pods(helm.template({"agent": {"absentDirectories": absent}}))["nicfleet-agent"]

    assert set(_host_paths(default)) - set(_host_paths(spec)) == set(absent)
    assert _mount_points(default) - _mount_points(spec) == {f"/host{path}" for path in absent}
    for volume in spec["volumes"]:
        if "hostPath" in volume:
            _mount(host, seen, **volume["hostPath"])
    whole = read(Host.at(host), None, NodeName("worker-1"))
    assert whole.functions
    assert read(Host.at(seen), None, NodeName("worker-1")) == whole


def _host_paths(spec: dict[str, Any]) -> list[str]:
    return [volume["hostPath"]["path"] for volume in spec["volumes"] if "hostPath" in volume]


def _mount_points(spec: dict[str, Any]) -> set[str]:
    (container,) = spec["containers"]
    return {mount["mountPath"] for mount in container["volumeMounts"]}


def test_on_openshift_each_pod_is_one_that_it_admits(helm: Helm) -> None:
    objects = helm.template({}, "--api-versions=security.openshift.io/v1")

    (role,) = (each for each in objects if each["kind"] == "Role" and each["metadata"]["name"] == "nicfleet-agent")
    (binding,) = (
        each for each in objects if each["kind"] == "RoleBinding" and each["roleRef"]["name"] == "nicfleet-agent"
    )
    constraint = {"apiGroups": ["security.openshift.io"], "resources": ["securitycontextconstraints"]}
    assert role["rules"] == [constraint | {"resourceNames": ["privileged"], "verbs": ["use"]}]
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "nicfleet-agent", "namespace": NAMESPACE}]
    for name, spec in pods(objects).items():
        if name != "nicfleet-agent":
            assert spec["securityContext"].keys() == {"runAsNonRoot", "seccompProfile"}
    assert not [
        each for each in helm.template() if each["kind"] == "Role" and each["metadata"]["name"] == "nicfleet-agent"
    ]


@pytest.mark.parametrize("given", [{}, {"seLinuxOptions": {"type": "container_logreader_t"}}, {"seLinuxOptions": None}])
def test_the_agents_selinux_context(helm: Helm, given: dict[str, Any]) -> None:
    """A confined agent would be denied the host's files, and say so; spc_t gives it no capability."""
    (container,) = pods(helm.template({"agent": given}))["nicfleet-agent"]["containers"]
    expected = given.get("seLinuxOptions", {"type": "spc_t"})
    assert container["securityContext"].get("seLinuxOptions") == expected


@pytest.mark.parametrize(
    ("given", "openshift", "expected"),
    [
        pytest.param({}, False, ["/opt/cni/bin", "/etc/cni/net.d"], id="the-usual-ones"),
        pytest.param({}, True, ["/var/lib/cni/bin", "/etc/cni/net.d"], id="those-of-openshift"),
        pytest.param(
            {"cniBinDirectory": "/srv/cni/bin/", "cniNetworkDirectory": "/srv/cni/net.d"},
            False,
            ["/srv/cni/bin", "/srv/cni/net.d"],
            id="both-below-one",
        ),
        pytest.param({"cniBinDirectory": "/home/kubernetes/bin"}, False, ["/etc/cni/net.d"], id="among-others"),
        pytest.param({"cniNetworkDirectory": "/etc/net.d"}, False, ["/opt/cni/bin"], id="not-all-of-etc"),
        pytest.param({"cniBinDirectory": "/cni/bin"}, False, ["/etc/cni/net.d"], id="at-the-root"),
    ],
)
def test_the_agent_looks_for_the_cni_directories(
    helm: Helm, given: dict[str, str], openshift: bool, expected: list[str]
) -> None:
    """By the directory above each, which it makes where it must; the directory itself is not made by looking."""
    apis = ["--api-versions=config.openshift.io/v1"] if openshift else []
    spec = pods(helm.template({"operator": given}, *apis))["nicfleet-agent"]
    (container,) = spec["containers"]
    environment = {each["name"]: each.get("value", "worker-1") for each in container["env"]}
    above = sorted({str(Path(path).parent) for path in expected})

    settings = read_agent_settings([], environment)

    assert list(settings.cni_directories) == expected
    mounts = [mount["mountPath"] for mount in container["volumeMounts"] if mount["name"].startswith("cni-")]
    assert sorted(mounts) == [f"/host{path}" for path in above]
    mounted = [volume["hostPath"] for volume in spec["volumes"] if volume["name"].startswith("cni-")]
    assert sorted(mounted, key=str) == [{"path": path, "type": "DirectoryOrCreate"} for path in above]


def _mount(host: Path, seen: Path, path: str, type: str) -> None:  # noqa: A002  Kubernetes' name
    """As a runtime does: of what is there, links followed at that place only. Hard links, as inodes count."""
    source, place = (host / path.lstrip("/")).resolve(), seen / path.lstrip("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    if source.is_file():
        os.link(source, place)
    elif source.is_dir():
        shutil.copytree(source, place, symlinks=True, copy_function=os.link)
    else:
        assert type == "DirectoryOrCreate", f"{path} is not on every host"
        place.mkdir()


def test_placement_reaches_every_pod_of_the_coordinators(helm: Helm) -> None:
    given = VARIANTS["placement"]["operator"]
    specs = pods(helm.template({**VARIANTS["placement"], "imagePullSecrets": ["one"]}))
    assert specs.keys() == {"nicfleet-coordinator", "nicfleet-agent", "nicfleet-install-crds", "nicfleet-check"}
    for name, spec in specs.items():
        assert spec["imagePullSecrets"] == [{"name": "one"}]
        if name != "nicfleet-agent":
            assert spec["tolerations"] == given["tolerations"]
            assert spec["nodeSelector"] == given["nodeSelector"]
    assert specs["nicfleet-agent"]["tolerations"] == VARIANTS["placement"]["agent"]["tolerations"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param(
            {},
            {
                "localhost/nicfleet:0.1.0",
                "localhost/nicfleet-agent:0.1.0",
                "nvcr.io/nvidia/mellanox/network-operator-init-container:network-operator-v26.4.0",
            },
            id="defaults",
        ),
        pytest.param(
            {"imageRegistry": "registry.example.com:5000/mirror/"},
            {
                "registry.example.com:5000/mirror/nicfleet:0.1.0",
                "registry.example.com:5000/mirror/nicfleet-agent:0.1.0",
                "registry.example.com:5000/mirror/nvidia/mellanox/network-operator-init-container:"
                "network-operator-v26.4.0",
            },
            id="one-value-rewrites-all",
        ),
        pytest.param(
            {
                "operator": {
                    "repository": "team/nics",
                    "tag": f"sha256:{'a' * 64}",
                    "ofedDriver": {"initContainer": {"enable": False}},
                },
                "agent": {"tag": "v2"},
                "imageRegistry": "registry.example.com",
            },
            {
                f"registry.example.com/team/nics/nicfleet@sha256:{'a' * 64}",
                "registry.example.com/team/nics/nicfleet-agent:v2",
            },
            id="a-path-without-a-host-and-a-digest",
        ),
        pytest.param(
            {**OLD, "operator": {**OLD["operator"], "ofedDriver": {"initContainer": {"enable": False}}}},
            {"localhost/nicfleet:0.1.0", "localhost/nicfleet-agent:0.1.0"},
            id="upstreams-image-is-not-ours",
        ),
        pytest.param(
            CURRENT,
            {
                "registry.example.com/mirror/nicfleet:0.1.0",
                "registry.example.com/mirror/nicfleet-agent:0.1.0",
                "nvcr.io/nvidia/mellanox/network-operator-init-container:network-operator-v26.4.1",
            },
            id="a-mirror-stays",
        ),
    ],
)
def test_images(helm: Helm, values: dict[str, Any], expected: set[str]) -> None:
    assert images(helm.template(values)) == expected


def test_the_coordinator_is_told_the_values(helm: Helm, tmp_path: Path) -> None:
    """By the coordinator's own reading of its environment."""
    values = {
        "nfd": {"enabled": False},
        "operator": {
            "cniBinDirectory": "/usr/libexec/cni",
            "cniNetworkDirectory": "/etc/kubernetes/cni/net.d",
            "useDTK": False,
            "driverImagePollMinutes": 0,
            "logLevel": "debug",
            "trustLoopback": False,
            "admissionController": {"enabled": True},
        },
    }
    given = environment(helm.template(values)) | {"NICFLEET_WEBHOOK_CERT_DIR": str(tmp_path)}
    settings = read_coordinator_settings([], given)

    assert settings.namespace == NAMESPACE == names.DEFAULT_NAMESPACE
    assert settings.label_mode == "supplement"
    assert (settings.cni_bin_dir, settings.cni_network_dir) == ("/usr/libexec/cni", "/etc/kubernetes/cni/net.d")
    assert (settings.driver_toolkit, settings.driver_image_poll_minutes) == (False, 0)
    assert (settings.log_level, settings.trust_loopback) == ("debug", False)
    assert settings.webhook is not None
    defaults = read_coordinator_settings([], environment(helm.template()))
    assert (defaults.label_mode, defaults.cni_bin_dir, defaults.webhook) == ("replace", None, None)
    assert defaults.trust_loopback


def agent_settings(objects: list[dict[str, Any]]) -> AgentSettings:
    """By the agent's own reading of its environment, as on a node."""
    (container,) = pods(objects)["nicfleet-agent"]["containers"]
    given = {each["name"]: each.get("value", "worker-1") for each in container["env"]}
    return read_agent_settings([], given)


def mounted(spec: dict[str, Any], path: str) -> dict[str, Any]:
    """The volume at that path of the only container."""
    (container,) = spec["containers"]
    (name,) = (each["name"] for each in container["volumeMounts"] if each["mountPath"] == path)
    found: dict[str, dict[str, Any]] = {each["name"]: each for each in spec["volumes"]}
    return found[name]


@pytest.mark.parametrize(
    ("variant", "secret"),
    [
        pytest.param("defaults", None, id="its-own"),
        pytest.param("own-names", None, id="its-own-by-other-names"),
        pytest.param("certificate-of-cert-manager", "nicfleet-coordinator-cert", id="cert-manager"),
        pytest.param("certificate-of-an-issuer-of-the-cluster", "nicfleet-coordinator-cert", id="clusters-issuer"),
        pytest.param("certificate-of-ones-own", "nics-certificate", id="ones-own"),
    ],
)
def test_agents_trust_what_the_coordinator_publishes(
    helm: Helm, tmp_path: Path, variant: str, secret: str | None
) -> None:
    objects = helm.template(VARIANTS[variant])
    names_of_pods = {"own-names": ("nics-coordinator", "nics-agent", "nics-check")}
    coordinator, agent, check = names_of_pods.get(variant, ("nicfleet-coordinator", "nicfleet-agent", "nicfleet-check"))
    (container,) = pods(objects)[coordinator]["containers"]
    given = {each["name"]: each.get("value", NAMESPACE) for each in container["env"]}
    if secret is not None:
        assert mounted(pods(objects)[coordinator], given["NICFLEET_TLS_CERT_DIR"])["secret"]["secretName"] == secret
        given["NICFLEET_TLS_CERT_DIR"] = str(tmp_path)
    settings = read_coordinator_settings([], given).tls

    assert settings is not None
    assert settings.folder == (None if secret is None else tmp_path)
    published = one(objects, "ConfigMap")
    assert settings.config_map == published["metadata"]["name"]
    assert "data" not in published
    assert settings.service == one(objects, "Service", "-coordinator")["metadata"]["name"]
    for name in (agent, check):
        volume = mounted(pods(objects)[name], "/etc/nicfleet/ca")
        assert volume["configMap"]["name"] == settings.config_map
    if secret is None:
        kept = one(objects, "Secret", "-tls")
        assert (kept["metadata"]["name"], "data" in kept) == (settings.secret, False)
        role = one(objects, "Role", "-tls")
        assert role["rules"] == [
            {"apiGroups": [""], "resources": ["secrets"], "resourceNames": [settings.secret], "verbs": ["patch"]}
        ]
    else:
        assert [each for each in objects if each["kind"] == "Secret"] == []


@pytest.mark.parametrize("variant", ["certificate-of-cert-manager", "certificate-of-an-issuer-of-the-cluster"])
def test_cert_managers_certificate_is_for_the_names_by_which_the_coordinator_is_reached(
    helm: Helm, variant: str
) -> None:
    spec = one(helm.template(VARIANTS[variant]), "Certificate", "-coordinator")["spec"]
    assert names_of("nicfleet-coordinator", NAMESPACE) == {*spec["dnsNames"], *spec["ipAddresses"]}


def test_an_agent_knows_the_coordinator_by_its_services_name(helm: Helm) -> None:
    tls = agent_settings(helm.template()).tls
    assert tls is not None
    assert (tls.ca_file, tls.server_name) == (
        Path("/etc/nicfleet/ca/ca.crt"),
        f"nicfleet-coordinator.{NAMESPACE}.svc",
    )
    assert tls.server_name in names_of("nicfleet-coordinator", NAMESPACE)


def test_plaintext_is_a_value_and_for_all(helm: Helm) -> None:
    objects = helm.template(VARIANTS["plaintext"])
    assert read_coordinator_settings([], environment(objects)).tls is None
    assert agent_settings(objects).tls is None
    assert {each["kind"] for each in objects}.isdisjoint({"Secret", "ConfigMap"})


def test_ports_are_those_of_the_programs(helm: Helm) -> None:
    objects = helm.template(VARIANTS["webhook-by-cert-manager"])
    (container,) = pods(objects)["nicfleet-coordinator"]["containers"]
    ports = {each["name"]: each["containerPort"] for each in container["ports"]}
    webhook = names.WEBHOOK_PORT
    assert ports == {"grpc": names.COORDINATOR_PORT, "http": names.COORDINATOR_HTTP_PORT, "webhook": webhook}
    service = one(objects, "Service", "-coordinator")
    assert {each["name"]: each["port"] for each in service["spec"]["ports"]} == {
        "grpc": names.COORDINATOR_PORT,
        "http": names.COORDINATOR_HTTP_PORT,
    }
    agent = {each["name"]: each.get("value") for each in pods(objects)["nicfleet-agent"]["containers"][0]["env"]}
    assert agent["NICFLEET_COORDINATOR"] == f"nicfleet-coordinator.{NAMESPACE}.svc:{names.COORDINATOR_PORT}"


def test_the_chart_is_of_the_packages_version() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert (chart["version"], chart["appVersion"]) == (version, version)


def test_every_value_is_explained() -> None:
    page = (ROOT / "docs/reference/chart-values.md").read_text()
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert [path for path in paths_of(values) if f"`{path}`" not in page] == []


OPEN = {"resources", "tolerations", "nodeSelector", "affinity", "seLinuxOptions"}
"""Kubernetes' own words are below these."""


def paths_of(values: dict[str, Any], above: str = "") -> list[str]:
    found: list[str] = []
    for key, value in values.items():
        path = f"{above}{key}"
        found += paths_of(value, f"{path}.") if isinstance(value, dict) and value and key not in OPEN else [path]
    return found
