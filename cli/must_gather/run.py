"""The command without its flags: connect, collect within the time, and finish the archive whatever happens."""

import asyncio
import json
import os
import platform
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from cli.access import ToCoordinator, kubeconfig
from cli.must_gather import markdown, page, summary
from cli.must_gather.api import Api
from cli.must_gather.archive import Archive, CannotWrite
from cli.must_gather.collect import Collector, Wanted
from cli.must_gather.digest import Digest
from cli.must_gather.facts import COORDINATOR
from cli.must_gather.fleet import FleetReader, Unheard, connected
from cli.must_gather.jobs import why
from cli.must_gather.scope import NAME
from coordinator.kube.errors import KubeError
from coordinator.kube.objects import DEPLOYABLE
from nicfleet.names import DEFAULT_NAMESPACE

FORMAT: Final = 1
"""Of the folder's layout and of manifest.json."""

DEADLINE: Final = 12.0
"""Seconds for an answer of the API server to begin."""

_GRACE: Final = 10.0
"""Seconds in which what was under way is to let go."""
_DEPLOYMENT: Final = next(each for each in DEPLOYABLE if each.kind == "Deployment")
_IN_A_POD: Final = "KUBERNETES_SERVICE_HOST"
_NO_COORDINATOR: Final = (
    "inventories and findings by node are missing: for them give --coordinator, for example of "
    "kubectl port-forward to the coordinator's Pod that leads"
)


class Exit(IntEnum):
    """Exit codes; upstream's."""

    COMPLETE = 0
    NOTHING = 1
    PARTIAL = 2


class Nothing(Exception):
    """Nothing could be collected; the text is one sentence for the person who asked."""


class Unwritable(Exception):
    """There is no place for the archive where it was asked for; the text says why."""


@dataclass(frozen=True, slots=True)
class Options:
    """The flags; times in seconds. `namespace` may be empty: it is looked for."""

    namespace: str
    output_dir: Path
    nodes: str
    since: int
    log_lines: int
    timeout: float
    max_nodes: int
    coordinator: ToCoordinator | None
    kubeconfig: str | None
    context: str | None
    deadline: float = DEADLINE


@dataclass(frozen=True, slots=True)
class Bundle:
    """What was made."""

    path: Path
    sha256: str
    verdict: str
    exit: Exit


def gather(options: Options, say: Callable[[str], None]) -> Bundle:
    """Make the bundle. Raises Nothing, Unwritable and ConfigurationError."""
    return asyncio.run(_gather(options, say))


async def _gather(options: Options, say: Callable[[str], None]) -> Bundle:
    started = datetime.now(UTC)
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(_api(options))
        try:
            server = (await api.version()).get("gitVersion", "")
        except KubeError as error:
            raise Nothing(f"cannot read {api.server}: {why(error)}; nothing was collected") from error
        namespace = options.namespace or await _namespace(api)
        digest = _digest(options, namespace, api.server, started, server)
        fleet: FleetReader | None = None
        if options.coordinator is None:
            digest.notes.append(_NO_COORDINATOR)
        else:
            fleet = await _fleet(stack, options.coordinator, digest)
        archive = _archive(options.output_dir, started)
        say(f"collecting from {api.server}, namespace {namespace}, for at most {options.timeout:g} s")
        try:
            wanted = _wanted(options, namespace, started)
            await _within(Collector(api, fleet, archive, digest, wanted).run(), options.timeout, digest)
            return finish(archive, digest)
        except CannotWrite as error:
            archive.discard()
            raise Nothing(str(error)) from error
        except BaseException:
            archive.discard()
            raise


@asynccontextmanager
async def _api(options: Options) -> AsyncIterator[Api]:
    api = await Api.connect(config_of(options.kubeconfig, os.environ), options.context, options.deadline)
    try:
        yield api
    finally:
        await api.close()


def config_of(flag: str | None, environment: Mapping[str, str]) -> Path | None:
    """As kubectl has it; None, which is the Pod's own account, in a Pod that has no kubeconfig."""
    found = kubeconfig(flag, environment)
    given = flag or environment.get("KUBECONFIG")
    return None if not given and _IN_A_POD in environment and not found.exists() else found


async def _fleet(stack: AsyncExitStack, coordinator: ToCoordinator, digest: Digest) -> FleetReader | None:
    try:
        return await stack.enter_async_context(connected(coordinator))
    except Unheard as error:
        digest.failed("FleetView of the coordinator", str(error))
        return None


async def _namespace(api: Api) -> str:
    """Where the coordinator is deployed."""
    try:
        async for found in api.pages(_DEPLOYMENT, label_selector=f"{NAME}={COORDINATOR}"):
            for body in found:
                return str(body["metadata"]["namespace"])
    except KubeError:
        pass  # who may not look in all namespaces may look in one
    return DEFAULT_NAMESPACE


def _digest(options: Options, namespace: str, server: str, started: datetime, server_version: str) -> Digest:
    asked = {
        "nodes": options.nodes,
        "since": f"{options.since} s",
        "log-lines": str(options.log_lines),
        "timeout": f"{options.timeout:g} s",
        "max-nodes": str(options.max_nodes),
        "coordinator": options.coordinator.address if options.coordinator else "",
    }
    versions = {
        "nicfleet, of this command": version("nicfleet"),
        "Kubernetes": server_version,
        "Python": platform.python_version(),
    }
    return Digest(started.isoformat(timespec="seconds"), namespace, server, asked, versions)


def _archive(folder: Path, started: datetime) -> Archive:
    try:
        return Archive(folder, f"nicfleet-must-gather-{started:%Y%m%dT%H%M%SZ}", started)
    except CannotWrite as error:
        raise Unwritable(f"--output-dir: {error}") from error


def _wanted(options: Options, namespace: str, started: datetime) -> Wanted:
    oldest = started - timedelta(seconds=options.since)
    return Wanted(
        namespace=namespace,
        node_selector=options.nodes,
        oldest=f"{oldest:%Y-%m-%dT%H:%M:%SZ}",
        since_seconds=options.since,
        log_lines=options.log_lines,
        max_nodes=options.max_nodes,
    )


async def _within(collecting: Coroutine[Any, Any, None], seconds: float, digest: Digest) -> None:
    """Until it is done, the time is over, or somebody presses Ctrl-C. Raises what it raises but for that."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    work, stop = asyncio.create_task(collecting), asyncio.create_task(stopped.wait())
    try:
        await asyncio.wait({work, stop}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            reason = "interrupted" if stopped.is_set() else f"the time was over (--timeout, {seconds:g} s)"
            digest.failed("the rest", reason)
            work.cancel()
            await asyncio.wait({work}, timeout=_GRACE)
        if work.done() and not work.cancelled():
            work.result()
    finally:
        stop.cancel()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def finish(archive: Archive, digest: Digest) -> Bundle:
    """Close the archive with its summary. Raises CannotWrite."""
    for name in digest.under_way.values():  # jobs that did not let go: what they still bring is not added
        digest.failed(name, "still under way at the end")
    verdict = summary.verdict(digest)
    nothing, partial = digest.done == 0, bool(digest.failures)
    exit_code = Exit.NOTHING if nothing else Exit.PARTIAL if partial else Exit.COMPLETE
    told = summary.sections(digest)
    title = f"nicfleet must-gather {digest.started}"
    archive.add("errors.txt", "".join(f"{what}: {reason}\n" for what, reason in digest.failures))
    archive.add("summary.md", markdown.write(title, told))
    archive.add("index.html", page.write(title, told, sorted(entry.path for entry in archive.entries)))
    archive.add("manifest.json", json.dumps(_manifest(archive, digest, exit_code), indent=1) + "\n")
    return Bundle(archive.path, archive.finish(), verdict, exit_code)


def _manifest(archive: Archive, digest: Digest, exit_code: Exit) -> dict[str, object]:
    return {
        "format": FORMAT,
        "started": digest.started,
        "ended": datetime.now(UTC).isoformat(timespec="seconds"),
        "server": digest.server,
        "namespace": digest.namespace,
        "versions": digest.versions,
        "asked": digest.asked,
        "result": exit_code.name.lower(),
        "collected": digest.done,
        "notes": digest.notes,
        "chosen_nodes": digest.chosen,
        "failures": [{"what": what, "why": reason} for what, reason in digest.failures],
        "files": [{"path": entry.path, "size": entry.size} for entry in archive.entries],
    }
