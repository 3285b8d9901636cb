"""Which values the chart refuses, and in what words. No cluster."""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.chart.helm import CHART, Helm, HelmFailed
from tests.chart.variants import EVERYTHING, VARIANTS


def refusal(helm: Helm, values: dict[str, Any], release: str = "nicfleet") -> list[str]:
    """The lines that helm says. Fails if it says none."""
    with pytest.raises(HelmFailed) as refused:
        helm.run("template", release, CHART, values=values)
    return str(refused.value).splitlines()


def of_operator(**values: Any) -> dict[str, Any]:
    return {"operator": values}


@pytest.mark.parametrize(
    ("values", "path", "said"),
    [
        pytest.param({"operater": {}}, "''", "'operater' not allowed", id="misspelt-section"),
        pytest.param(of_operator(repositry="x"), "/operator", "'repositry' not allowed", id="misspelt-value"),
        pytest.param({"agent": {"seLinuxOptions": {"tpe": "x"}}}, "/agent/seLinuxOptions", "'tpe'", id="deeper"),
        pytest.param(of_operator(replicas=6), "/operator/replicas", "maximum", id="a-crowd"),
        pytest.param(of_operator(logLevel="loud"), "/operator/logLevel", "must be one of", id="no-level"),
        pytest.param(of_operator(tag="a b"), "/operator/tag", "pattern", id="no-tag"),
        pytest.param(of_operator(cniBinDirectory="bin"), "/operator/cniBinDirectory", "pattern", id="relative"),
        pytest.param({"imagePullSecrets": [{"name": "x"}]}, "/imagePullSecrets/0", "string", id="names-not-objects"),
        pytest.param({"nfd": {"enabled": "yes"}}, "/nfd/enabled", "boolean", id="no-boolean"),
        pytest.param({"agent": {"port": 0}}, "/agent/port", "minimum", id="no-port"),
        pytest.param(
            {"tls": {"certManager": {"enabled": True, "issuerRef": {"kind": "ClusterIssuer"}}}},
            "/tls/certManager/issuerRef",
            "'name'",
            id="no-issuer",
        ),
        pytest.param(
            of_operator(admissionController={"enabled": True, "useCertManager": False}),
            "/operator/admissionController/certificate/",
            "pattern",
            id="webhook-without-certificate",
        ),
        pytest.param(
            of_operator(admissionController={"enabled": True, "useCertManager": False, "certificate": None}),
            "/operator/admissionController",
            "'certificate'",
            id="webhook-with-a-certificate-taken-away",
        ),
        pytest.param(
            of_operator(resources={"limits": {"memory": "lots"}}),
            "/operator/resources/limits/memory",
            "'lots' does not match",
            id="no-quantity",
        ),
        pytest.param(
            {"agent": {"resources": {"requests": {"cpu": -1}}}},
            "/agent/resources/requests/cpu",
            "exclusiveMinimum",
            id="less-than-nothing",
        ),
        pytest.param(
            {"agent": {"resources": {"limit": {"cpu": 1}}}}, "/agent/resources", "'limit' not allowed", id="no-limit"
        ),
        pytest.param({"imageRegistry": "https://r.example.com"}, "/imageRegistry", "pattern", id="a-url"),
        pytest.param(
            of_operator(repository="https://r.example.com/a"), "/operator/repository", "pattern", id="a-url-too"
        ),
        pytest.param(
            of_operator(repository="r.example.com/Team"), "/operator/repository", "pattern", id="a-path-in-capitals"
        ),
        pytest.param(of_operator(nameOverride="My_Nics"), "/operator/nameOverride", "pattern", id="no-name"),
        pytest.param(of_operator(fullnameOverride="nics."), "/operator/fullnameOverride", "pattern", id="no-start"),
        pytest.param(of_operator(fullnameOverride="n" * 41), "/operator/fullnameOverride", "maxLength", id="too-long"),
        pytest.param(
            {"agent": {"tolerations": [{"key": "a", "operator": "exists"}]}},
            "/agent/tolerations/0/operator",
            "must be one of",
            id="no-operator",
        ),
        pytest.param(
            of_operator(tolerations=[{"key": "a", "effekt": "NoSchedule"}]),
            "/operator/tolerations/0",
            "'effekt' not allowed",
            id="no-effect",
        ),
        pytest.param(of_operator(env=[{"name": "A", "value": 1}]), "/operator/env/0/value", "string", id="a-number"),
        pytest.param(of_operator(env=[{"name": "A", "val": "1"}]), "/operator/env/0", "'val'", id="misspelt-variable"),
        pytest.param(of_operator(podLabels={"a": "b c"}), "/operator/podLabels/a", "pattern", id="no-label"),
        pytest.param(
            of_operator(podLabels={"a b": "c"}), "/operator/podLabels", "'a b' not allowed", id="no-key-of-a-label"
        ),
        pytest.param(
            of_operator(podAnnotations={"a b": "c"}),
            "/operator/podAnnotations",
            "'a b' not allowed",
            id="no-key-of-an-annotation",
        ),
        pytest.param(
            {"agent": {"nodeSelector": {"/a": "b"}}}, "/agent/nodeSelector", "'/a' not allowed", id="no-prefix-of-a-key"
        ),
        pytest.param(of_operator(priorityClassName="a..b"), "/operator/priorityClassName", "pattern", id="no-class"),
        pytest.param({"agent": {"maxUnavailable": "101%"}}, "/agent/maxUnavailable", "pattern", id="more-than-all"),
        pytest.param(
            {"agent": {"absentDirectories": ["/dev"]}}, "/agent/absentDirectories/0", "must be one of", id="no-devices"
        ),
        pytest.param(
            {"networkPolicy": {"agentCIDRs": ["10.0.0.0/33"]}},
            "/networkPolicy/agentCIDRs/0",
            "pattern",
            id="no-network",
        ),
        pytest.param(
            {"networkPolicy": {"metricsFrom": [{}]}}, "/networkPolicy/metricsFrom/0", "minProperties", id="nobody"
        ),
        pytest.param(
            {"networkPolicy": {"metricsFrom": [{"podSelector": {"matchLabel": {}}}]}},
            "/networkPolicy/metricsFrom/0/podSelector",
            "'matchLabel' not allowed",
            id="no-selector",
        ),
        pytest.param(
            {"networkPolicy": {"metricsFrom": [{"ipBlock": {"cidr": "10.0.0.0"}}]}},
            "/networkPolicy/metricsFrom/0/ipBlock/cidr",
            "pattern",
            id="no-block",
        ),
        pytest.param(
            {"agent": {"affinity": {"nodeAffinity": {"required": {}}}}},
            "/agent/affinity/nodeAffinity",
            "'required' not allowed",
            id="no-part-of-an-affinity",
        ),
        pytest.param(
            of_operator(env=[{"name": "A", "value": "1", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]),
            "/operator/env/0/value",
            "maxLength",
            id="two-values",
        ),
        pytest.param(
            of_operator(env=[{"name": "A", "valueFrom": {}}]), "/operator/env/0/valueFrom", "minProperties", id="none"
        ),
        pytest.param(
            of_operator(resources={"limits": {"foo": 1}}), "/operator/resources/limits", "'foo'", id="no-resource"
        ),
        pytest.param(
            {"agent": {"tolerations": [{"key": "a", "operator": "Exists", "value": "b"}]}},
            "/agent/tolerations/0/value",
            "maxLength",
            id="a-value-that-nobody-asks-for",
        ),
        pytest.param(
            {"agent": {"tolerations": [{"value": "b"}]}}, "/agent/tolerations/0", "'key'", id="a-value-of-nothing"
        ),
        pytest.param(
            {"agent": {"tolerations": [{"operator": "Exists", "effect": "NoSchedule", "tolerationSeconds": 3}]}},
            "/agent/tolerations/0/effect",
            "value must be 'NoExecute'",
            id="seconds-of-what-does-not-evict",
        ),
        pytest.param(
            of_operator(affinity={"nodes": {}}), "/operator/affinity", "'nodes' not allowed", id="no-affinity"
        ),
        pytest.param({"ofedDriver": {"repositry": "x"}}, "/ofedDriver", "'repositry' not allowed", id="old-section"),
        pytest.param(
            {"secondaryNetwork": {"multus": {"imagePullSecret": "x"}}},
            "/secondaryNetwork/multus",
            "'imagePullSecret' not allowed",
            id="old-part",
        ),
        pytest.param(
            {"rdmaSharedDevicePlugin": {"resources": [{"name": "a", "ifnames": []}]}},
            "/rdmaSharedDevicePlugin/resources/0",
            "'ifnames' not allowed",
            id="old-resource",
        ),
        pytest.param({"sriovNetworkOperator": {"enabel": True}}, "/sriovNetworkOperator", "'enabel'", id="old-switch"),
    ],
)
def test_a_wrong_value_is_refused_with_its_path(helm: Helm, values: dict[str, Any], path: str, said: str) -> None:
    _, _, first, *_ = refusal(helm, values)
    assert first.startswith(f"- at '{path.strip(chr(39))}")
    assert said in first


@pytest.mark.parametrize(
    ("values", "said"),
    [
        pytest.param(
            {"tls": {"existingSecret": "a", "certManager": {"enabled": True}}},
            "tls.existingSecret and tls.certManager.enabled exclude each other: either the Secret is there, or "
            "cert-manager makes one; leave out one of them",
            id="two-makers-of-a-certificate",
        ),
        pytest.param(
            {"tls": {"certManager": {"issuerRef": {"name": "company"}}}},
            "tls.certManager.issuerRef is given and tls.certManager.enabled is not true: cert-manager would not be "
            "asked; set it, or leave out the issuer",
            id="an-issuer-that-nobody-asks",
        ),
        *(
            pytest.param(
                {"tls": {"enabled": False, **given}},
                f"{path} is given and tls.enabled is false: all would be plaintext; set that to true, or leave out the "
                "certificate",
                id=f"plaintext-beside-{path}",
            )
            for path, given in (
                ("tls.existingSecret", {"existingSecret": "nics"}),
                ("tls.certManager.enabled", {"certManager": {"enabled": True}}),
            )
        ),
        *(
            pytest.param(
                {"networkPolicy": {"enabled": False, name: [peer]}},
                f"networkPolicy.{name} is given and networkPolicy.enabled is false: nobody would be kept out; set that "
                "to true, or leave out the former",
                id=f"{name}-without-a-policy",
            )
            for name, peer in (("agentCIDRs", "10.0.0.0/8"), ("metricsFrom", {"podSelector": {}}))
        ),
        pytest.param(
            of_operator(admissionController={"enabled": True, "certificate": {"caCrt": "x"}}),
            "operator.admissionController.certificate.caCrt is given and "
            "operator.admissionController.useCertManager is true: cert-manager makes another one; set that to false, "
            "or leave out the certificate",
            id="a-certificate-that-nobody-takes",
        ),
        pytest.param(
            of_operator(preStopSleepSeconds=30),
            "operator.preStopSleepSeconds is 30: give less than operator.terminationGracePeriodSeconds, 30, in which "
            "the pod has to end as well",
            id="asleep-at-its-end",
        ),
        *(
            pytest.param(
                {part: {key: {name: "mine"}}},
                f"{part}.{key} has {name}, which this chart sets itself: leave it out",
                id=f"{part}-{key}",
            )
            for part, key, name in (
                ("operator", "podLabels", "app.kubernetes.io/name"),
                ("operator", "podAnnotations", "kubectl.kubernetes.io/default-container"),
                ("agent", "podLabels", "nvidia.com/ofed-driver-upgrade-drain.skip"),
            )
        ),
        pytest.param(
            of_operator(metrics={"serviceMonitor": {"labels": {"helm.sh/chart": "mine"}}}),
            "operator.metrics.serviceMonitor.labels has helm.sh/chart, which this chart sets itself: leave it out",
            id="a-label-of-the-service-monitor",
        ),
        pytest.param(
            of_operator(env=[{"name": "POD_NAMESPACE", "value": "x"}]),
            "operator.env has POD_NAMESPACE, which this chart sets itself, or has it twice: leave it out",
            id="a-variable-of-ours",
        ),
        pytest.param(
            of_operator(env=[{"name": "A", "value": "x"}] * 2),
            "operator.env has A, which this chart sets itself, or has it twice: leave it out",
            id="a-variable-twice",
        ),
        pytest.param(
            of_operator(env=[{"name": "NICFLEET_INSECURE", "value": "true"}]),
            "operator.env has NICFLEET_INSECURE, which this chart sets as its other values say: leave it out",
            id="no-identity-any-more",
        ),
        pytest.param(
            of_operator(env=[{"name": "CNI_BIN_DIR", "value": "/opt"}]),
            "operator.env has CNI_BIN_DIR, which this chart sets as its other values say: leave it out",
            id="a-directory-that-agents-do-not-hear-of",
        ),
        pytest.param(
            of_operator(resources={"limits": {"memory": "100Mi"}}),
            "operator.resources.limits.memory is 100Mi: give no less than operator.resources.requests.memory, 160Mi, "
            "or lower that as well",
            id="less-than-is-asked-for",
        ),
        pytest.param(
            {"agent": {"resources": {"limits": {"cpu": 0.0099}}}},
            "agent.resources.limits.cpu is 0.0099: give no less than agent.resources.requests.cpu, 10m, or lower that "
            "as well",
            id="less-in-another-unit",
        ),
        pytest.param(
            {"networkPolicy": {"agentCIDRs": ["192.0.2.0/25", "10.0.0.5/8"]}},
            "networkPolicy.agentCIDRs has 10.0.0.5/8, where no network of that length begins: give its first address",
            id="an-address-within-a-network",
        ),
    ],
)
def test_values_that_contradict_each_other_are_refused_in_a_sentence(
    helm: Helm, values: dict[str, Any], said: str
) -> None:
    first, *_ = refusal(helm, values)
    assert first.startswith("Error: execution error at (nicfleet/templates/refusals.yaml:")
    assert first.endswith(f"): {said}")


@pytest.mark.parametrize("release", ["1nics", "my.nics"])
def test_a_release_whose_names_no_service_may_have_is_refused(helm: Helm, release: str) -> None:
    first, *_ = refusal(helm, {}, release)
    assert f'operator.fullnameOverride is needed: names would begin with "{release}-nicfleet"' in first
    helm.run("template", release, CHART, values=of_operator(fullnameOverride="nics"))


@pytest.mark.parametrize("release", ["nicfleet", "a" * 53])
@pytest.mark.parametrize("override", ["", "o" * 40])
def test_names_are_short_enough(helm: Helm, release: str, override: str) -> None:
    given = {"nameOverride": override} if release == "nicfleet" else {"fullnameOverride": override}
    rendered = helm.run("template", release, CHART, values={**EVERYTHING, "operator": EVERYTHING["operator"] | given})
    for each in filter(None, yaml.safe_load_all(rendered)):
        longest = 253 if each["kind"].startswith(("ClusterRole", "Validating")) else 63
        assert len(each["metadata"]["name"]) <= longest


@pytest.mark.parametrize("namespace", ["123", "1e5", "null"])
def test_a_name_that_yaml_would_take_for_something_else_stays_one(helm: Helm, namespace: str) -> None:
    given = EVERYTHING | {"tls": {"existingSecret": namespace}}
    given = given | of_operator(**EVERYTHING["operator"], fullnameOverride="nics")
    rendered = helm.run("template", namespace, CHART, f"--namespace={namespace}", values=given)
    objects = [each for each in yaml.safe_load_all(rendered) if each]
    assert {each["metadata"].get("namespace", namespace) for each in objects} == {namespace, "default"}
    assert {each["metadata"]["labels"]["app.kubernetes.io/instance"] for each in objects} == {namespace}
    assert f'secretName: "{namespace}"' in rendered


def test_what_is_null_is_left_out_or_refused_by_its_path(helm: Helm) -> None:
    """helm takes a key away that is given as null, with all that is below it."""
    answers = {
        path: answer(helm, with_null(EVERYTHING, path))
        for path in paths_of(yaml.safe_load((CHART / "values.yaml").read_text()))
    }
    refused = {path: said for path, said in answers.items() if isinstance(said, str)}
    for path, said in refused.items():
        assert f"- at '{'/'.join(['', *path[:-1]])}': missing property '{path[-1]}'" in said
    assert {path: list(nulls(made)) for path, made in answers.items() if path not in refused and [*nulls(made)]} == {}
    assert ("operator",) in refused
    assert ("operator", "resources") not in refused


def answer(helm: Helm, values: dict[str, Any]) -> list[dict[str, Any]] | str:
    """The objects, or what helm says instead."""
    try:
        return helm.template(values)
    except HelmFailed as failed:
        return str(failed)


def paths_of(values: dict[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Of sections, too."""
    for key, value in values.items():
        yield (*above, key)
        if isinstance(value, dict):
            yield from paths_of(value, (*above, key))


def with_null(values: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    key, *below = path
    return values | {key: with_null(values.get(key, {}), tuple(below)) if below else None}


def nulls(found: Any, where: str = "") -> Iterator[str]:
    """Where one is in rendered objects."""
    if found is None:
        yield where
    elif isinstance(found, dict | list):
        for key, value in found.items() if isinstance(found, dict) else enumerate(found):
            yield from nulls(value, f"{where}/{key}")


SECTIONS = {
    name: values
    for name, values in VARIANTS["upstream-components"].items()
    if isinstance(values, dict) and name != "nodeAffinity"
}
"""Of upstream's old charts; that they are taken as they are is shown with the other variants."""


@pytest.mark.parametrize("section", SECTIONS)
def test_a_misspelt_value_of_upstreams_old_sections_is_refused(helm: Helm, section: str) -> None:
    said = refusal(helm, {section: SECTIONS[section] | {"mispelt": True}})
    assert f"- at '/{section}': additional properties 'mispelt' not allowed" in said
