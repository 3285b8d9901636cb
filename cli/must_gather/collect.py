"""The order in which things are collected: first what explains most and costs least, as time may run out."""

import asyncio
import json
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Final

from cli.must_gather import diagnostics, scope
from cli.must_gather.api import Api
from cli.must_gather.archive import Archive
from cli.must_gather.choice import choose, concerned, hosts_of, pods_to_read
from cli.must_gather.digest import Digest
from cli.must_gather.documents import as_lines, as_yaml
from cli.must_gather.facts import (
    AGENT,
    COORDINATOR,
    DRIVER_CONTAINER,
    ContainerFact,
    PodFact,
    agent_fact,
    event_fact,
    node_fact,
    pod_fact,
    policy_fact,
)
from cli.must_gather.fleet import FleetReader
from cli.must_gather.frames import Output
from cli.must_gather.jobs import CUT_SHORT, ITEM_SECONDS, Job, why, work
from cli.must_gather.logs import LogTail
from cli.must_gather.redaction import redact, redact_text
from coordinator.kube.errors import KubeError, NotFound
from coordinator.kube.objects import EVENT, NAMESPACE, NODE, POD, Resource
from nicfleet.names import API_GROUP, COORDINATOR_HTTP_PORT

_MOST_PRINTED: Final = 4 << 20
_POLICIES: Final = frozenset({"NicClusterPolicy", "NicNodePolicy"})
_CLUSTER: Final = "_cluster"
"""Folder of objects without a namespace; no namespace can have this name."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """`oldest` is the time in RFC 3339 before which events do not count, `since_seconds` the same for logs."""

    namespace: str
    node_selector: str
    oldest: str
    since_seconds: int
    log_lines: int
    max_nodes: int
    item_seconds: float = ITEM_SECONDS


class Collector:
    """Collects into an archive and a digest. `fleet` is None where no coordinator can be asked."""

    def __init__(self, api: Api, fleet: FleetReader | None, archive: Archive, digest: Digest, wanted: Wanted) -> None:
        self._api = api
        self._fleet = fleet
        self._archive = archive
        self._digest = digest
        self._wanted = wanted
        self._cited: set[str] = set()
        """Names of the ConfigMaps that policies take configuration from."""

    async def run(self) -> None:
        """All of it. Raises CannotWrite; what else fails is in the digest, also when this is cancelled."""
        stages: list[tuple[str, Callable[[], Iterable[Job]]]] = [
            ("objects", self._objects),
            ("ConfigMaps, pods and the fleet", self._survey),
            ("nodes", self._nodes),
            ("logs, inventories and diagnostics", self._details),
        ]
        while stages:
            _, jobs = stages[0]
            try:
                await work(jobs(), self._digest, self._wanted.item_seconds)
            except asyncio.CancelledError:
                for name, _ in stages[1:]:
                    self._digest.failed(name, CUT_SHORT)
                raise
            stages.pop(0)

    # What is listed.

    def _objects(self) -> Iterator[Job]:
        namespace = self._wanted.namespace
        yield Job(f"namespace {namespace}", self._namespace)
        yield Job("custom resources", self._custom_resources)
        for space in dict.fromkeys((namespace, "default")):
            yield Job(f"events in {space}", partial(self._events, space))
        for listing in scope.listings(namespace):
            yield Job(str(listing), partial(self._listing, listing))
        yield Job("RBAC of the cluster", self._roles)
        yield Job(f"names of secrets in {namespace}", self._secrets)

    async def _namespace(self) -> None:
        """What is in one that does not exist would be no more than empty."""
        name = self._wanted.namespace
        self._save(f"objects/{name}/namespace.yaml", await self._api.read(NAMESPACE, name))

    async def _custom_resources(self) -> None:
        """CRDs that count, and all objects of each."""
        jobs = []
        async for crd in self._each(scope.CRD):
            if not scope.is_told(crd):
                continue
            self._save(f"crds/{crd['metadata']['name']}.yaml", crd)
            if (resource := scope.resource_of(crd)) is not None:
                listing = scope.Listing(resource)
                jobs.append(Job(str(listing), partial(self._listing, listing)))
        if not jobs:
            self._digest.failed(f"objects of {API_GROUP}", "the cluster has no such CRD: nicfleet is not installed")
        for job in jobs:
            try:
                await job.run()
            except KubeError as error:
                self._digest.failed(job.name, why(error))

    async def _listing(self, listing: scope.Listing) -> None:
        resource = listing.resource
        try:
            async for body in self._each(resource, listing.namespace, listing.label_selector):
                namespace = body["metadata"].get("namespace", "")
                if namespace and namespace == listing.elsewhere_than:
                    continue
                folder = "policies" if resource.group == API_GROUP else f"objects/{namespace or _CLUSTER}"
                clean = self._save(f"{folder}/{resource.plural}/{body['metadata']['name']}.yaml", body)
                if resource.group == API_GROUP:
                    self._digest.policies.append(policy_fact(clean))
                    self._cited |= scope.cited(body)
        except NotFound as error:
            if not error.kind_unknown:
                raise

    async def _roles(self) -> None:
        """Those of accounts in the namespace; the operator's own carry no label of a state."""
        bound = set()
        async for binding in self._each(scope.CLUSTER_ROLE_BINDING):
            if scope.is_ours(binding, self._wanted.namespace):
                bound.add(binding["roleRef"]["name"])
                self._save(f"objects/{_CLUSTER}/clusterrolebindings/{binding['metadata']['name']}.yaml", binding)
        async for role in self._each(scope.CLUSTER_ROLE):
            if scope.is_role_of_ours(role, bound):
                self._save(f"objects/{_CLUSTER}/clusterroles/{role['metadata']['name']}.yaml", role)

    async def _secrets(self) -> None:
        rows = await self._api.secrets(self._wanted.namespace)
        lines = "".join(f"{row.get('type', ''):45} {row.get('data', ''):>4} {row.get('name', '')}\n" for row in rows)
        self._archive.add(f"objects/{self._wanted.namespace}/secrets.txt", f"type, number of values, name\n{lines}")

    async def _events(self, namespace: str) -> None:
        count = 0
        async for page in self._api.pages(EVENT, namespace):
            kept = []
            for body in page:
                clean = redact(scope.slim(body))
                fact = event_fact(clean)
                if not fact.last or fact.last >= self._wanted.oldest:
                    kept.append(clean)
                    self._digest.saw_event(fact)
                await asyncio.sleep(0)
            if kept:
                count += 1
                self._archive.add(f"events/{namespace}-{count:03}.jsonl", as_lines(kept))

    # What decides on the details.

    def _survey(self) -> Iterator[Job]:
        yield Job(f"configmaps in {self._wanted.namespace}", self._config_maps)
        yield Job(f"pods in {self._wanted.namespace}", self._pods)
        if self._fleet is not None:
            yield Job("FleetView of the coordinator", partial(self._agents, self._fleet))

    async def _config_maps(self) -> None:
        namespace = self._wanted.namespace
        async for body in self._each(scope.CONFIG_MAP, namespace):
            told = body if scope.is_told_in_full(body, self._cited) else scope.without_values(body)
            self._save(f"objects/{namespace}/{scope.CONFIG_MAP.plural}/{body['metadata']['name']}.yaml", told)

    async def _pods(self) -> None:
        count = 0
        async for page in self._api.pages(POD, self._wanted.namespace):
            facts = [pod_fact(body) for body in page]
            self._digest.pods += facts
            count += 1
            self._archive.add(f"pods/list-{count:03}.jsonl", as_lines(map(asdict, facts)))
            await asyncio.sleep(0)
        if not any(pod.component == COORDINATOR for pod in self._digest.pods):
            self._digest.notes.append(f"no Pod of the coordinator is in namespace {self._wanted.namespace}")

    async def _agents(self, fleet: FleetReader) -> None:
        count = 0
        async for page in fleet.pages():
            clean = [redact(summary) for summary in page]
            self._digest.agents |= {fact.name: fact for fact in map(agent_fact, clean)}
            count += 1
            self._archive.add(f"fleet/nodes-{count:03}.jsonl", as_lines(clean))
            await asyncio.sleep(0)

    def _nodes(self) -> Iterator[Job]:
        yield Job("nodes", self._list_nodes)

    async def _list_nodes(self) -> None:
        """Those that have to do with NICs; all that were asked for, if some were; some, if none has."""
        hosts = hosts_of(self._digest.pods)
        others: list[dict[str, Any]] = []
        async for body in self._each(NODE, label_selector=self._wanted.node_selector):
            fact = node_fact(body)
            self._digest.total_nodes += 1
            if self._wanted.node_selector or concerned(fact, hosts, self._digest.agents):
                self._save_node(body)
            elif len(others) < self._wanted.max_nodes:
                others.append(scope.slim(body))
        if not self._digest.nodes and others:
            self._digest.notes.append(f"no node has a NIC's label or an agent: the first {len(others)} are told")
            for body in others:
                self._save_node(body)

    def _save_node(self, body: Mapping[str, Any]) -> None:
        fact = node_fact(body)
        self._digest.nodes[fact.name] = fact
        self._save(f"nodes/{fact.name}.yaml", body)

    # What is taken of each.

    def _details(self) -> Iterator[Job]:
        digest, wanted = self._digest, self._wanted
        digest.chosen = choose(digest.nodes, digest.pods, digest.agents, wanted.max_nodes)
        if len(digest.chosen) < len(digest.nodes):
            told = f"{len(digest.chosen)} of {len(digest.nodes)} nodes are told in full"
            digest.notes.append(f"{told} (--max-nodes), the sick ones first")
        pods = pods_to_read(digest.pods, digest.chosen)
        for pod in pods:
            if pod.component == COORDINATOR:
                for path in ("/metrics", "/readyz"):
                    yield Job(f"{path} of Pod {pod.name}", partial(self._http, pod, path))
        if self._fleet is not None and digest.agents:
            for policy in digest.policies:
                if policy.kind in _POLICIES:
                    name = f"the coordinator's verdict on {policy.kind} {policy.name}"
                    yield Job(name, partial(self._verdict, self._fleet, policy.kind, policy.name))
        for pod in pods:
            yield Job(f"Pod {pod.name}", partial(self._pod, pod))
            for container in pod.containers:
                for previous in (False, True) if container.restarted else (False,) if container.started else ():
                    name = f"{'previous ' if previous else ''}log of {container.name} of Pod {pod.name}"
                    yield Job(name, partial(self._log, pod, container, previous=previous))
        yield from self._of_nodes(pods)

    def _of_nodes(self, pods: Iterable[PodFact]) -> Iterator[Job]:
        drivers = {pod.node: pod for pod in pods if pod.driver}
        agents = {pod.node: pod for pod in pods if pod.component == AGENT and pod.phase == "Running"}
        for node in self._digest.chosen:
            if node in drivers:
                run = partial(self._diagnose, node, drivers[node], DRIVER_CONTAINER, diagnostics.DRIVER)
                yield Job(f"driver diagnostics of {node}", run)
            elif node in agents:
                run = partial(self._diagnose, node, agents[node], "agent", diagnostics.HOST)
                yield Job(f"host diagnostics of {node}", run)
            if self._fleet is not None and node in self._digest.agents:
                yield Job(f"inventory of {node}", partial(self._inventory, self._fleet, node))

    async def _http(self, pod: PodFact, path: str) -> None:
        body = await self._api.through(self._wanted.namespace, pod.name, COORDINATOR_HTTP_PORT, path, _MOST_PRINTED)
        self._archive.add(f"coordinator/{pod.name}{path}.txt", redact_text(body))

    async def _verdict(self, fleet: FleetReader, kind: str, name: str) -> None:
        self._save_json(f"fleet/policies/{kind}-{name}.json", await fleet.policy(kind, name))

    async def _inventory(self, fleet: FleetReader, node: str) -> None:
        found = await fleet.inventory(node)
        if found is not None:
            self._save_json(f"inventories/{node}.json", found)

    async def _pod(self, pod: PodFact) -> None:
        self._save(f"pods/{pod.name}/pod.yaml", await self._api.read(POD, pod.name, self._wanted.namespace))

    async def _log(self, pod: PodFact, container: ContainerFact, *, previous: bool) -> None:
        query: dict[str, str | int] = {
            "container": container.name,
            "tailLines": self._wanted.log_lines,
            "timestamps": "true",
        }
        # A previous run may have ended long ago, and still be what matters.
        query |= {"previous": "true"} if previous else {"sinceSeconds": self._wanted.since_seconds}
        tail = LogTail()
        try:
            await self._api.log(self._wanted.namespace, pod.name, query, tail)
        finally:
            if text := tail.text():
                ending = ".previous.log" if previous else ".log"
                self._archive.add(f"pods/{pod.name}/{container.name}{ending}", text)

    async def _diagnose(
        self, node: str, pod: PodFact, container: str, commands: tuple[diagnostics.Command, ...]
    ) -> None:
        """Whatever came is kept, also when the session breaks off."""
        marker = f"@@{secrets.token_hex(8)}"
        output, broken = Output(_MOST_PRINTED), "cut off before its end"
        try:
            await self._api.run(
                self._wanted.namespace, pod.name, container, diagnostics.script(commands, marker), output
            )
            broken = output.broken
            if broken:
                self._digest.failed(f"diagnostics of {node}", broken)
        except KubeError as error:
            broken = why(error)
            raise
        finally:
            found = diagnostics.outcomes(commands, marker, output.text, broken)
            self._digest.saw_diagnostics(node, found)
            self._archive.add(f"driver/{node}/status.txt", redact_text(diagnostics.table(found)))
            for each in found:
                if each.output:
                    self._archive.add(f"driver/{node}/{each.name}.txt", redact_text(f"{each.output}\n"))

    # How it is written.

    async def _each(self, resource: Resource, namespace: str = "", label_selector: str = "") -> Any:
        """Objects one by one; others have their turn between them."""
        async for page in self._api.pages(resource, namespace, label_selector):
            for body in page:
                yield body
                await asyncio.sleep(0)

    def _save(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Without secrets; returns what was written."""
        clean: dict[str, Any] = redact(scope.slim(body))
        self._archive.add(path, as_yaml(clean))
        return clean

    def _save_json(self, path: str, body: Mapping[str, Any]) -> None:
        self._archive.add(path, json.dumps(redact(body), indent=2, ensure_ascii=False) + "\n")
