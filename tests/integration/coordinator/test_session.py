"""Credentials that expire, and a CA that is replaced, while the coordinator runs; and those that are none."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from coordinator.kube.client import Kube
from coordinator.kube.errors import NotFound, Unauthorized
from coordinator.kube.objects import Ref
from nicfleet import names
from tests.integration.coordinator.proxy import proxied

ABSENT = Ref("ConfigMap", names.DEFAULT_NAMESPACE, "absent")


@asynccontextmanager
async def connected(kubeconfig: Path) -> AsyncIterator[Kube]:
    kube = await Kube.connect(kubeconfig)
    try:
        yield kube
    finally:
        await kube.close()


def with_wrong_token(kubeconfig: str) -> str:
    config: dict[str, Any] = json.loads(kubeconfig)
    config["users"][0]["user"]["token"] = "expired"
    return json.dumps(config)


def with_another_ca(kubeconfig: str) -> str:
    """The machine's, which has not signed for the control plane."""
    config: dict[str, Any] = json.loads(kubeconfig)
    del config["clusters"][0]["cluster"]["certificate-authority"]
    return json.dumps(config)


@pytest.mark.parametrize(
    "outdated", [pytest.param(with_wrong_token, id="token"), pytest.param(with_another_ca, id="ca")]
)
async def test_what_was_renewed_is_read_and_the_request_sent_again(
    kubeconfig: Path, tmp_path: Path, outdated: Callable[[str], str]
) -> None:
    mine, current = tmp_path / "kubeconfig", kubeconfig.read_text()  # noqa: ASYNC240  small and local
    mine.write_text(outdated(current))
    async with connected(mine) as kube:
        mine.write_text(current)

        with pytest.raises(NotFound):
            await kube.get(ABSENT)


async def test_wrong_credentials_are_named_and_not_read_for_each_request(kubeconfig: Path, tmp_path: Path) -> None:
    async with proxied(kubeconfig, tmp_path) as (proxy, mine):
        mine.write_text(with_wrong_token(mine.read_text()))
        async with connected(mine) as kube:
            for _ in range(3):
                with pytest.raises(Unauthorized, match=r"Unauthorized; renew the kubeconfig or the ServiceAccount's"):
                    await kube.get(ABSENT)

    assert len(proxy.seen) == 4


@pytest.mark.parametrize("program", ["coordinator", "coordinator.install_crds"])
def test_the_coordinators_programs_end_with_2(tmp_path: Path, program: str) -> None:
    file = tmp_path / "config"
    file.write_text("some-host\n")
    flags = ["--insecure"] if program == "coordinator" else []
    command = [sys.executable, "-m", program, f"--kubeconfig={file}", *flags]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert f": kubeconfig {file} cannot be used (it is no kubeconfig): give a file" in done.stderr
    assert done.stderr.count("\n") == 1
