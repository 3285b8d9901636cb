"""What the API server says of a cluster, and what it would say to a change. Nothing is written."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final, TypeVar

import msgspec

from cli.plan.agents import Reports
from cli.plan.compare import Answer, Settled, to_settle
from cli.plan.documents import Body, Document, Given, Unusable, policies
from cli.plan.outlook import Outlook
from cli.plan.pods import RunningPod, decode
from cli.plan.seen import Seen
from cli.plan.surroundings import unasked
from coordinator.config_maps import decode_data
from coordinator.intake import Intake
from coordinator.kube.client import Kube, Source
from coordinator.kube.errors import Conflict, Forbidden, KubeError, NotFound, TooManyRequests, Unauthorized, Unreachable
from coordinator.kube.node_decoding import decode_node
from coordinator.kube.objects import (
    CLUSTER_VERSION,
    CONFIG_MAP,
    DEPLOYABLE,
    IMAGE_STREAM,
    NETWORKS,
    NIC_CLUSTER_POLICY,
    NIC_NODE_POLICY,
    NODE,
    POD,
    PROXY,
    Obj,
    Ref,
    Resource,
    ref_of,
)
from coordinator.labels.rules import Mode
from coordinator.openshift import CLUSTER_WIDE, TOOLKIT, TOOLKIT_NAMESPACE, ClusterProxy, decode_proxy, decode_toolkits
from coordinator.settings import Settings
from coordinator.states.cluster import OpenShift
from coordinator.surroundings import cluster_of, config_maps, images
from coordinator.workloads import Pod
from nicfleet.names import OBJECTS_MANAGER, OFED_DRIVER_LABEL, STATE_LABEL

T = TypeVar("T")
K = TypeVar("K")

_AT_ONCE: Final = 8
_INSTALL: Final = "kubectl apply --server-side -f deploy/crds"
_ENDING: Final = (Unreachable, Unauthorized, TooManyRequests)
"""What says nothing of one object."""
_NOT_ENDED: Final = "status.phase!=Succeeded,status.phase!=Failed"


async def look(kube: Kube, given: Given, settings: Settings, reports: Reports | None) -> Seen:
    """Everything that a plan needs but for what it would change. Raises KubeError, and Unusable for want of rights."""
    notes: list[str] = []
    there = [body for kind in (NIC_CLUSTER_POLICY, NIC_NODE_POLICY) for body in await _documents(kube, kind)]
    other = [body for kind in NETWORKS for body in await _documents(kube, kind)]
    served = (*Intake.of(there).served, *Intake.of(policies(given, there)).served)
    openshift = await openshift_of(kube, settings.driver_toolkit)
    nodes = [decode_node(raw) for raw in await _list(kube, Source(NODE))]
    objects, hidden = await _objects(kube)
    if hidden:
        notes.append(f"your account may not list {', '.join(sorted(kind.plural for kind in hidden))}")
    cluster = replace(
        cluster_of(settings, openshift),
        config_maps=await _config_maps(kube, given, settings.namespace, config_maps(served)),
        driver_tags=unasked(images(served), settings),
    )
    if reports is not None and not reports.settled:
        notes.append("the coordinator has just started: some agents may not have reported yet")
    return Seen(
        cluster=cluster,
        mode=Mode(settings.label_mode),
        nodes=tuple(nodes),
        inventories=reports.inventories if reports is not None else {},
        silent=reports.silent if reports is not None else frozenset(),
        server=kube.server,
        policies=tuple(there),
        networks=tuple(other),
        objects=objects,
        driver_pods=await _driver_pods(kube, settings.namespace, notes),
        notes=tuple(notes),
    )


async def look_for(kube: Kube, seen: Seen, outlook: Outlook) -> Seen:
    """With the objects in the places of desired ones that do not carry a state's label: somebody else's, mostly."""
    unseen = [wanted.ref for wanted in outlook.wanted() if wanted.ref not in seen.objects]

    async def get(ref: Ref) -> bytes | None:
        return await kube.get(ref)

    found = await _each(unseen, get)
    hidden = {ref for ref, answer in found.items() if isinstance(answer, Forbidden)}
    there = {ref: answer for ref, answer in found.items() if isinstance(answer, bytes)}
    return replace(seen, objects={**seen.objects, **there}, hidden=frozenset(hidden))


async def ask(kube: Kube, seen: Seen, objects: Iterable[Obj]) -> dict[Ref, Answer]:
    """What the API server would make of these objects if the coordinator applied them."""
    wanted = {ref_of(obj): obj for obj in objects}

    async def apply(ref: Ref) -> bytes:
        # As the coordinator does: what is not there is not overwritten if it comes meanwhile.
        answer = await kube.would_apply(wanted[ref], manager=OBJECTS_MANAGER, force=ref in seen.objects)
        settled = to_settle(seen, wanted[ref], answer)
        if settled is None:
            return answer
        try:
            return Settled(await kube.would_take(settled))
        except Forbidden:
            return answer  # it may patch and not update: what goes is then worked out without the server

    return await _each(wanted, apply)


async def ask_for_documents(kube: Kube, given: Iterable[Document], seen: Seen) -> dict[tuple[str, str], KubeError]:
    """What the API server has against these policies and networks themselves."""
    there = {(body["kind"], body["metadata"]["name"]): body for body in (*seen.policies, *seen.networks)}
    documents = {document.key: document for document in given}

    async def take(key: tuple[str, str]) -> bytes:
        return await kube.would_take(_as_sent(documents[key], there.get(key)))

    answers = await _each(documents, take)
    # Who may not write them may still plan; what changed meanwhile, and what is there by now, is no mistake.
    return {
        key: answer
        for key, answer in answers.items()
        if isinstance(answer, KubeError) and not isinstance(answer, Forbidden | Conflict)
    }


async def pods(kube: Kube) -> tuple[tuple[RunningPod, ...], str]:
    """All pods that have not ended; or none, and why."""
    try:
        return tuple([decode(raw) for raw in await _list(kube, Source(POD, field_selector=_NOT_ENDED))]), ""
    except Forbidden:
        return (), "your account may not list pods: it is not known which ones would be disturbed"


def sentence(error: KubeError) -> str:
    """What was asked and what came of it. The advice of the coordinator's own errors is for its account."""
    return f"cannot {error.action} {error.target}: {error.status.message or error.status.reason or error.status.code}"


def _as_sent(document: Document, there: Body | None) -> Body:
    """As `kubectl apply` has it: status is not the user's, and of what is there only the version counts."""
    body = {key: value for key, value in document.body.items() if key != "status"}
    version = {} if there is None else {"resourceVersion": there["metadata"]["resourceVersion"]}
    kept = {k: v for k, v in body["metadata"].items() if k not in ("uid", "resourceVersion", "managedFields")}
    return {**body, "metadata": {**kept, **version}}


async def _documents(kube: Kube, resource: Resource) -> list[Body]:
    """All policies or networks of a kind. Without its CRD there is none."""
    try:
        found = await _list(kube, Source(resource))
    except NotFound as error:
        raise Unusable(f"the cluster does not know {resource.kind}: {_INSTALL}") from error
    except Forbidden as error:
        raise Unusable(f"{sentence(error)}: a plan needs an account that may list {resource.plural}") from error
    # Items of a list have neither kind nor version of their own in every kind.
    head = {"apiVersion": resource.api_version, "kind": resource.kind}
    return [{**head, **msgspec.json.decode(raw)} for raw in found]


async def _objects(kube: Kube) -> tuple[dict[Ref, bytes], list[Resource]]:
    """Everything that carries a state's label, and the kinds that the account may not list."""
    found: dict[Ref, bytes] = {}
    hidden = []
    for resource in DEPLOYABLE:
        try:
            for raw in await _list(kube, Source(resource, label_selector=STATE_LABEL)):
                body = {"apiVersion": resource.api_version, "kind": resource.kind, **msgspec.json.decode(raw)}
                found[ref_of(body)] = msgspec.json.encode(body)
        except Forbidden:
            # Asked for its right before the kind is looked for: of what is not there it hides nothing.
            if await kube.serves(resource):
                hidden.append(resource)
        except NotFound:
            if not resource.optional:
                raise
    return found, hidden


async def _config_maps(kube: Kube, given: Given, namespace: str, names: Iterable[str]) -> dict[str, Mapping[str, str]]:
    """Those that exist, or come with the FILEs."""
    found = {
        name: data for (where, name), data in given.config_maps.items() if where == namespace and name in set(names)
    }
    refs = [Ref(CONFIG_MAP.kind, namespace, name) for name in sorted(set(names) - found.keys())]

    async def get(ref: Ref) -> bytes:
        return await kube.get(ref)

    answers = await _each(refs, get)
    for ref, answer in answers.items():
        if isinstance(answer, Forbidden):
            raise Unusable(f"{sentence(answer)}: the policy depends on it")
        if isinstance(answer, bytes):
            found[ref.name] = decode_data(answer)
    return found


async def openshift_of(kube: Kube, use_toolkit: bool) -> OpenShift | None:
    """As the coordinator sees it."""
    if not await kube.serves(CLUSTER_VERSION):
        return None
    proxies = await _if_allowed(kube, Source(PROXY, field_selector=f"metadata.name={CLUSTER_WIDE}"))
    stream = Source(IMAGE_STREAM, TOOLKIT_NAMESPACE, field_selector=f"metadata.name={TOOLKIT}")
    streams = await _if_allowed(kube, stream)
    proxy = decode_proxy(proxies[0]) if proxies else ClusterProxy({}, trusted_ca=False)
    return OpenShift(
        proxy=None if proxies is None else proxy.variables,
        trusted_ca=proxy.trusted_ca,
        toolkits=None if streams is None else decode_toolkits(streams[0]) if streams else {},
        use_toolkit=use_toolkit,
    )


async def _if_allowed(kube: Kube, source: Source) -> list[msgspec.Raw] | None:
    """None is not known: what depends on it is left as it is, and its state says what for."""
    try:
        return await _list(kube, source)
    except (Forbidden, NotFound):
        return None


async def _driver_pods(kube: Kube, namespace: str, notes: list[str]) -> tuple[Pod, ...] | None:
    try:
        return await kube.pods(namespace, OFED_DRIVER_LABEL)
    except Forbidden:
        notes.append("your account may not list pods: driver pods are taken to run where they belong")
        return None


async def _list(kube: Kube, source: Source) -> list[msgspec.Raw]:
    return [item async for page in kube.pages(source) for item in page.items or ()]


async def _each(keys: Iterable[K], get: Callable[[K], Awaitable[T]]) -> dict[K, T | KubeError]:
    """Some at once. An answer that is about one object is that object's; no answer ends it all."""
    limit = asyncio.Semaphore(_AT_ONCE)

    async def one(key: K) -> T | KubeError:
        async with limit:
            try:
                return await get(key)
            except _ENDING:
                raise
            except KubeError as error:
                return error

    wanted = list(keys)
    return dict(zip(wanted, await asyncio.gather(*map(one, wanted)), strict=True))
