"""What the chart gives agents and viewers to prove who they are, and to whom."""

import yaml

from agent import settings as agent_settings
from coordinator.settings import read as read_coordinator_settings
from nicfleet.names import AGENT_TOKEN_FILE, TOKEN_AUDIENCE, VIEW_PATH
from tests.chart.helm import NAMESPACE, ROOT, Helm, one
from tests.chart.test_render import environment, pods

PROJECTED = {"audience": TOKEN_AUDIENCE, "expirationSeconds": 3600, "path": "token"}


def test_agents_and_the_check_have_a_token_for_the_coordinator_and_no_other(helm: Helm) -> None:
    specs = pods(helm.template())
    for name in ("nicfleet-agent", "nicfleet-check"):
        spec = specs[name]
        assert spec["automountServiceAccountToken"] is (name == "nicfleet-check"), (
            "which has one for the API server too"
        )
        (volume,) = (each for each in spec["volumes"] if "projected" in each)
        assert volume["projected"]["sources"] == [{"serviceAccountToken": PROJECTED}]
        (container,) = spec["containers"]
        (mount,) = (each for each in container["volumeMounts"] if each["name"] == volume["name"])
        assert mount["readOnly"] is True
        assert f"{mount['mountPath']}/token" == AGENT_TOKEN_FILE
    assert AGENT_TOKEN_FILE in specs["nicfleet-check"]["containers"][0]["args"]
    assert "--token-file" not in str(specs["nicfleet-agent"]["containers"]), "it looks there by itself"
    given = ["--node-name=n", "--coordinator=c:1", "--ca-file=f"]
    tls = agent_settings.read(given, {}).tls
    assert tls is not None
    assert str(tls.token).endswith(f"({AGENT_TOKEN_FILE!r}))")


def test_without_tls_there_is_no_token(helm: Helm) -> None:
    objects = helm.template({"tls": {"enabled": False}})
    assert "serviceAccountToken" not in str(objects)
    assert not [
        each for each in objects if each["kind"] == "ClusterRoleBinding" and "check" in each["metadata"]["name"]
    ]


def test_the_coordinator_believes_the_account_that_agents_have(helm: Helm) -> None:
    objects = helm.template({"operator": {"fullnameOverride": "other"}})
    (container,) = pods(objects)["other-coordinator"]["containers"]
    variables = {each["name"]: each.get("value", NAMESPACE) for each in container["env"]}
    account = pods(objects)["other-agent"]["serviceAccountName"]
    expected = f"system:serviceaccount:{NAMESPACE}:{account}"
    assert read_coordinator_settings([], variables).agent_account == expected
    assert read_coordinator_settings([], environment(helm.template())).agent_account.endswith(":nicfleet-agent")


def test_viewers_have_one_right_and_the_check_is_one(helm: Helm) -> None:
    objects = helm.template()
    assert one(objects, "ClusterRole", "-viewer")["rules"] == [{"nonResourceURLs": [VIEW_PATH], "verbs": ["get"]}]
    binding = one(objects, "ClusterRoleBinding", "-check")
    assert binding["roleRef"]["name"] == "nicfleet-viewer"
    assert [each["name"] for each in binding["subjects"]] == ["nicfleet-check"]
    plain = list(yaml.safe_load_all((ROOT / "deploy/nicfleet.yaml").read_text()))
    assert one(plain, "ClusterRole", "-viewer")["rules"] == one(objects, "ClusterRole", "-viewer")["rules"]
