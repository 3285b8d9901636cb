"""An outlook's objects as YAML. Pure."""

from collections.abc import Iterator, Mapping
from textwrap import wrap
from typing import Any, Final

from cli.plan.outlook import Outlook, Wanted
from cli.plan.seen import Seen
from cli.plan.yaml_text import write
from coordinator.kube.objects import Obj
from coordinator.world import DRIVER_STATE
from nicfleet.names import HASH_ANNOTATION, NIC_LABEL

HEAD: Final = (
    "# What the coordinator would apply, in this order. Left out is what only a cluster can tell: the uid in",
    f"# ownerReferences and, as it depends on that, the annotation {HASH_ANNOTATION}.",
)
_NO_DRIVER: Final = "There is no driver's DaemonSet: one is made for each operating system, kernel and architecture"
_COLUMNS: Final = 118


def rendered(outlook: Outlook, seen: Seen) -> str:
    """The YAML documents, each after a comment that says what it is of."""
    lines = [*HEAD, *(f"# {line}" for line in wrap(why_no_driver(outlook, seen), _COLUMNS))]
    return "\n".join([*lines, *map(_document, outlook.wanted())])


def why_no_driver(outlook: Outlook, seen: Seen) -> str:
    """A sentence where a policy asks for a driver and no node is known that would get one; else ""."""
    states = [each.states.get(DRIVER_STATE) for each in outlook.plans if each.policy.spec.ofed_driver is not None]
    made = any(each.state == DRIVER_STATE and each.ref.kind == "DaemonSet" for each in outlook.wanted())
    if made or all(state is None or state.problem is not None for state in states):
        return ""
    if not seen.nodes:
        return f"{_NO_DRIVER}, and no node is known. Give their inventories with --inventory."
    return (
        f"{_NO_DRIVER}, and none of those given gets a driver. It takes the label {NIC_LABEL}=true, which Nodes of a "
        "new cluster lack, and those of operating system and kernel: give a nicfleet record of each kind of node."
    )


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
