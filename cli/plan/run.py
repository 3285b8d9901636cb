"""The two commands without their flags: read, conclude, ask, tell."""

import asyncio
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from cli.access import ToCoordinator, kubeconfig
from cli.plan import files, live
from cli.plan.agents import reports
from cli.plan.census import Census, OutOfBounds
from cli.plan.compare import to_ask
from cli.plan.documents import Given, Unusable, cautions, networks, policies, wrong_with
from cli.plan.offline import offline
from cli.plan.outlook import Outlook, foresee
from cli.plan.rendered import rendered, untold, why_no_driver
from cli.plan.report import Report
from cli.plan.seen import Seen
from cli.plan.told import Draft, draft, report
from coordinator.kube.client import Kube
from coordinator.kube.errors import KubeError
from coordinator.objects.render import Renderer
from coordinator.settings import Settings

PROGRAM: Final = "nicfleet"


@dataclass(frozen=True, slots=True)
class Rendered:
    """YAML, and sentences on what is wrong and on what is worth knowing."""

    yaml: str
    problems: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ToCluster:
    """How to get to a cluster. `kubeconfig` None: where kubectl finds it. `coordinator` None: agents are not heard."""

    kubeconfig: str | None = None
    context: str | None = None
    coordinator: ToCoordinator | None = None


def render(paths: Iterable[str], inventories: Iterable[Path], settings: Settings, *, openshift: bool) -> Rendered:
    """The objects of these FILEs. Raises Unusable."""
    given = files.given(paths)
    seen = offline(given, files.hosts(inventories), settings, openshift=openshift)
    _, after = _outlooks(given, seen, settings)
    wrong = {
        problem.sentence: f"{document}: {problem.sentence}"
        for document in given.documents
        for problem in wrong_with(document, openshift=openshift)
    }
    # A state tells all that is wrong with its section in one text.
    others = [text for text in untold(after) if not any(sentence in text for sentence in wrong)]
    notes = [
        *seen.notes,
        *(f"{document}: {text}" for document in given.documents for text in cautions(document, openshift=openshift)),
        *([f"left out: {', '.join(given.left_out)}"] if given.left_out else []),
        *([why] if (why := why_no_driver(after, seen)) else []),
    ]
    return Rendered(rendered(after, seen), (*wrong.values(), *others), tuple(notes))


def plan_offline(paths: Iterable[str], inventories: Iterable[Path], settings: Settings, *, openshift: bool) -> Report:
    """The plan for a cluster of these nodes in which nothing has been applied. Raises Unusable."""
    given = files.given(paths)
    seen = offline(given, files.hosts(inventories), settings, openshift=openshift)
    before, after = _outlooks(given, seen, settings)
    return report(draft(given, before, after, seen, {}), (), {})


def plan_live(paths: Iterable[str], settings: Settings, cluster: ToCluster) -> Report:
    """The plan for the cluster as it is. Raises Unusable and ConfigurationError."""
    given = files.given(paths)
    return asyncio.run(_plan_live(given, settings, cluster))


async def _plan_live(given: Given, settings: Settings, cluster: ToCluster) -> Report:
    heard = await reports(cluster.coordinator) if cluster.coordinator else None
    kube = await Kube.connect(kubeconfig(cluster.kubeconfig, os.environ), cluster.context, PROGRAM)
    try:
        seen = await live.look(kube, given, settings, heard)
        return await _plan_of(kube, given, settings, seen)
    except KubeError as error:
        raise Unusable(live.sentence(error)) from error
    finally:
        await kube.close()


async def _plan_of(kube: Kube, given: Given, settings: Settings, seen: Seen) -> Report:
    before, after = _outlooks(given, seen, settings)
    seen = await live.look_for(kube, seen, after)
    answers = await live.ask(kube, seen, to_ask(after, seen))
    made: Draft = draft(given, before, after, seen, answers)
    sound = [document for document in given.documents if not wrong_with(document, openshift=_openshift(seen))]
    refused = await live.ask_for_documents(kube, sound, seen)
    running, note = await live.pods(kube) if made.concerned.anything else ((), "")
    told = report(made, running, refused)
    return replace(told, notes=(*told.notes, note)) if note else told


def _outlooks(given: Given, seen: Seen, settings: Settings) -> tuple[Outlook, Outlook]:
    """Without what is given, and with it."""
    render = Renderer(settings.templates)
    try:
        census = Census(seen.nodes, seen.inventories, seen.silent, seen.mode)
    except OutOfBounds as error:
        raise Unusable(f"an inventory cannot be used: {error}") from error
    before = foresee(seen, seen.policies, seen.networks, census, render)
    after = foresee(seen, policies(given, seen.policies), networks(given, seen.networks), census, render)
    return before, after


def _openshift(seen: Seen) -> bool:
    return seen.cluster.openshift is not None
