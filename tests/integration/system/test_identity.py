"""The two programs over TLS, with tokens of pods: each agent speaks for its own node and for no other."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nicfleet import names
from nicfleet.reasons import Reason
from tests import hosts
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.tokens import pod_token
from tests.integration.coordinator.certificates import write_certificate
from tests.integration.system.processes import Agent, Coordinator
from tests.integration.system.product import Product, account, own
from tests.integration.system.waiting import eventually

ACCOUNT = "nicfleet-agent"
AGENTS = f"system:serviceaccount:{names.DEFAULT_NAMESPACE}:{ACCOUNT}"
COORDINATOR = f"system:serviceaccount:{names.DEFAULT_NAMESPACE}:nicfleet-coordinator"


class Encrypted:
    """A coordinator with TLS, and agents with whatever token is in their files."""

    def __init__(self, product: Product) -> None:
        self.product = product
        self._folder = product.folder
        write_certificate(self._folder)
        self._authority = self._folder / "ca.crt"
        self._authority.write_bytes((self._folder / "tls.crt").read_bytes())
        flag = f"--tls-cert-dir={self._folder}"
        self.coordinator = Coordinator(account(product.plane), self._folder, flag, insecure=False)
        self._agents: list[Agent] = []

    def token_file(self, name: str) -> Path:
        return self._folder / f"token-{name}"

    def put_token(self, name: str, token: str) -> None:
        """At once, as the kubelet does: nobody reads half of one."""
        new = self._folder / "new-token"
        new.write_text(token)
        new.rename(self.token_file(name))

    def register(self, *nodes: str) -> None:
        """Nodes, each with the pod of an agent."""
        self.product.register(*nodes)
        self.product.plane.apply(_account(), *map(_pod, nodes))

    def token(self, node: str) -> str:
        plane = self.product.plane
        return pod_token(plane, names.DEFAULT_NAMESPACE, ACCOUNT, f"agent-{node}", names.TOKEN_AUDIENCE)

    def agent(self, node: str, name: str, build: Any) -> Agent:
        """An agent that reports for a node, with the token file of this name; it runs."""
        folder = self._folder / name
        build(folder / "host")
        flags = (f"--ca-file={self._authority}", f"--token-file={self.token_file(name)}")
        agent = Agent(node, folder / "host", self.coordinator.address, folder, *flags, insecure=False)
        self._agents.append(agent)
        agent.start()
        return agent

    def stop(self) -> None:
        for program in (*self._agents, self.coordinator):
            program.kill()


def _account() -> dict[str, Any]:
    metadata = {"name": ACCOUNT, "namespace": names.DEFAULT_NAMESPACE}
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}


def _pod(node: str) -> dict[str, Any]:
    metadata = {"name": f"agent-{node}", "namespace": names.DEFAULT_NAMESPACE}
    spec = {"serviceAccountName": ACCOUNT, "nodeName": node, "containers": [{"name": "agent", "image": "none"}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


@pytest.fixture
def encrypted(fresh: Product) -> Iterator[Encrypted]:
    site = Encrypted(fresh)
    site.coordinator.start()
    yield site
    site.stop()


def test_an_agent_with_the_token_of_another_node_changes_nothing(encrypted: Encrypted) -> None:
    """Behaviour 75: refused in words, once in each log, counted, and the labels of the node that it claims stay."""
    api = encrypted.product.api
    encrypted.register("mine", "other")
    encrypted.put_token("other", encrypted.token("other"))
    good = encrypted.agent("other", "other", hosts.connectx5)
    eventually(lambda: api.labels("other").keys() >= {names.WAIT_LABEL, names.NIC_CONFIGURATION_WAIT_LABEL})
    labels = own(api.labels("other"))
    assert labels[names.NIC_LABEL] == "true"
    good.kill()
    eventually(lambda: encrypted.coordinator.logged("agent disconnected"))

    encrypted.put_token("impostor", encrypted.token("mine"))
    impostor = encrypted.agent("other", "impostor", hosts.connectx6_infiniband)

    told = eventually(lambda: impostor.logged("refused by the coordinator"))
    assert [line["reason"] for line in told] == ["IDENTITY_FOREIGN"]
    assert "the token is of pod agent-mine on node mine, and the report is for other" in told[0]["error"]
    line, *others = eventually(lambda: encrypted.coordinator.logged("agent refused"))
    assert others == []
    assert (line["node"], line["reason"], line["peer"]) == ("other", Reason.IdentityForeign, "127.0.0.1")
    assert 'nicfleet_refusals_total{reason="IdentityForeign"} 1.0' in encrypted.coordinator.metrics()
    assert own(api.labels("other")) == labels
    assert own(api.labels("mine")) == {}
    users = _users(encrypted.product.plane)
    assert COORDINATOR in users
    assert AGENTS not in users, "agents ask the API server for nothing"
    assert _users(encrypted.product.plane, "tokenreviews") == {COORDINATOR}


def test_an_agent_waits_for_its_token_and_says_so_once(encrypted: Encrypted) -> None:
    encrypted.register("mine")
    agent = encrypted.agent("mine", "mine", hosts.connectx5)

    (line,) = eventually(lambda: agent.logged("coordinator not dialled"))
    assert "No such file or directory" in line["error"]
    assert "--token-file" in line["error"]

    encrypted.put_token("mine", encrypted.token("mine"))
    eventually(lambda: agent.logged("coordinator connected"))
    assert len(agent.logged("coordinator not dialled")) == 1
    text = json.dumps([*agent.log(), *encrypted.coordinator.log()])
    assert encrypted.token_file("mine").read_text() not in text


def _users(plane: ControlPlane, resource: str = "") -> set[str]:
    """Who asked the API server, for objects of this kind or at all."""
    plane.kubectl("get", "namespace", "default")  # logged after all that has ended by now
    return {
        event["user"]["username"]
        for event in plane.audit()
        if not resource or event.get("objectRef", {}).get("resource") == resource
    }
