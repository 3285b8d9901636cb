"""A kubeconfig that cannot be used: one sentence for whoever gave it, and none of a library's or of Python's."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.__main__ import app
from coordinator.kube.session import ConfigurationError, Session


def config(cluster: object = None, user: object = None, **changes: Any) -> str:
    """A kubeconfig of http://127.0.0.1:1, so changed."""
    parts = {
        "current-context": "x",
        "clusters": [{"name": "c", "cluster": cluster or {"server": "http://127.0.0.1:1"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": user or {"token": "t"}}],
    }
    return json.dumps(parts | changes)


async def test_one_that_kubectl_takes(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text(config())
    session = await Session.open(file)
    assert session.server == "http://127.0.0.1:1"
    await session.close()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("some-host\n", "it is no kubeconfig", id="a-word"),
        pytest.param("", "it is no kubeconfig", id="empty"),
        pytest.param("- a", "it is no kubeconfig", id="a-list"),
        pytest.param("a: [", "it is no kubeconfig", id="no-yaml"),
        pytest.param(b"\xff\xfe", "it is no kubeconfig", id="no-text"),
        pytest.param(config(clusters=17), "it is no kubeconfig", id="another-shape"),
        pytest.param(config({"server": 17}), "it is no kubeconfig", id="a-number-for-a-server"),
        pytest.param(
            config({"server": "https://a", "certificate-authority-data": "eA=="}),
            "its certificates or keys: ",
            id="no-authority",
        ),
        pytest.param(config({"server": "https://a", "certificate-authority": "/no"}), "/no", id="authority-missing"),
        pytest.param(config(user={"tokenFile": "/no"}), "/no: No such file or directory", id="token-missing"),
        pytest.param("{}", "Expected key current-context", id="no-context"),
        pytest.param(config(clusters=[]), "Expected object with name c", id="no-cluster"),
    ],
)
async def test_any_other_is_told_in_one_sentence(tmp_path: Path, text: str | bytes, why: str) -> None:
    file = tmp_path / "config"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigurationError) as caught:
        await Session.open(file)
    said = str(caught.value)
    assert said.startswith(f"kubeconfig {file} cannot be used (")
    assert said.endswith("): give a file, and a context in it, that kubectl takes")
    assert why in said
    assert "\n" not in said


async def test_out_of_a_pod_one_has_to_be_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(ConfigurationError, match=r"outside of a Pod give --kubeconfig FILE$"):
        await Session.open(None)


@pytest.mark.parametrize("command", ["plan", "must-gather"])
def test_commands_end_with_2(tmp_path: Path, command: str) -> None:
    file, policy = tmp_path / "config", tmp_path / "policy.yaml"
    file.write_text("some-host\n")
    policy.write_text(
        "apiVersion: mellanox.com/v1alpha1\nkind: NicClusterPolicy\nmetadata: {name: nic-cluster-policy}\n"
    )
    flags = ["-f", policy] if command == "plan" else ["--output-dir", tmp_path]
    done = CliRunner().invoke(app, [command, f"--kubeconfig={file}", *map(str, flags)])
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"nicfleet: kubeconfig {file} cannot be used (it is no kubeconfig): give a file")
    assert done.stderr.count("\n") == 1
