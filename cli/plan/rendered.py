"""An outlook's objects as YAML. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from cli.plan.outlook import Outlook, Wanted
from cli.plan.seen import Seen
from cli.plan.yaml_text import write
from coordinator.kube.objects import Obj
from nicfleet.names import HASH_ANNOTATION

HEAD: Final = (
    "# What the coordinator would apply, in this order. Left out is what only a cluster can tell: the uid in",
    f"# ownerReferences and, as it depends on that, the annotation {HASH_ANNOTATION}.",
)
NO_NODES: Final = (
    "# There is no driver's DaemonSet: one is made for each operating system, kernel and architecture, and no node is",
    "# known. Give their inventories with --inventory.",
)


def rendered(outlook: Outlook, seen: Seen) -> str:
    """The YAML documents, each after a comment that says what it is of."""
    wants_driver = any(policy.spec.ofed_driver is not None for policy in outlook.world.policies)
    lines = [*HEAD, *(NO_NODES if wants_driver and not seen.nodes else ())]
    return "\n".join([*lines, *map(_document, outlook.wanted())])


def untold(outlook: Outlook) -> Iterator[str]:
    """Why there are no objects of a state or network; one sentence each."""
    for each in outlook.plans:
        for name, state in each.states.items():
            if state.problem is not None:
                yield f"{each.policy.kind} {each.policy.metadata.name}, {name}: {state.problem.message}"
    for network in outlook.networks:
        if network.problem is not None:
            yield f"{' '.join(network.owner)}: {network.problem.message}"


def _document(wanted: Wanted) -> str:
    kind, name = wanted.owner
    return f"---\n# {kind} {name}, {wanted.state}\n{write(_plain(wanted.obj))}".rstrip()


def _plain(obj: Obj) -> Mapping[str, Any]:
    metadata = dict(obj["metadata"])
    annotations = {key: value for key, value in metadata.pop("annotations", {}).items() if key != HASH_ANNOTATION}
    owners = [{k: v for k, v in owner.items() if k != "uid"} for owner in metadata.pop("ownerReferences", ())]
    if annotations:
        metadata["annotations"] = annotations
    if owners:
        metadata["ownerReferences"] = owners
    return {**obj, "metadata": metadata}
