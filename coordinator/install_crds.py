"""Installs the CRDs that come with nicfleet: `python -m coordinator.install_crds [--folder DIR] [--kubeconfig FILE]`.

Made for a hook of the installation too, as Helm itself never updates a CRD. One line for each CRD says what became of
it. None is ever deleted, and none replaced that has versions or fields that this version does not know: it is newer, or
of another release where it lacks some that are needed, and cannot be used. Nor is another product's replaced:
NetworkAttachmentDefinition is multus', and one that is there is used as it is.
"""

import argparse
import asyncio
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml

from coordinator.crd import definitions
from coordinator.crd_parts import parts, shown, trouble
from coordinator.kube.client import Kube
from coordinator.kube.errors import KubeError, NotFound
from coordinator.kube.objects import ref_of
from coordinator.kube.session import ConfigurationError
from coordinator.objects.crds import crd_stands
from coordinator.objects.desired import hashed
from coordinator.objects.live import decode_object
from coordinator.objects.outcome import Action
from coordinator.objects.ownership import applied_by, covers_exactly
from nicfleet.names import API_GROUP, HASH_ANNOTATION, OBJECTS_MANAGER

Crd = Mapping[str, Any]

_KIND: Final = "CustomResourceDefinition"


class Unusable(ValueError):
    """A folder or file that has no CRDs; one sentence."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one CRD, and why."""

    name: str
    done: str
    why: str = ""

    @property
    def exit(self) -> int:
        """What the program ends with when this is the worst that happened."""
        return {"failed": 1, "refused": 2}.get(self.done, 0)

    def __str__(self) -> str:
        return f"{self.name}: {self.done}{': ' if self.why else ''}{self.why}"


async def install(kube: Kube, crd: Crd) -> Result:
    """Bring one CRD in step."""
    desired, name = hashed(dict(crd)), crd["metadata"]["name"]
    try:
        try:
            standing = judge(await kube.get(ref_of(crd)), desired)
        except NotFound as error:
            if error.kind_unknown:
                raise
            # Without force: whatever appeared since we looked is not overwritten.
            await kube.apply(desired, manager=OBJECTS_MANAGER, force=False)
            return Result(name, "created")
        if standing is not None:
            return standing
        await kube.apply(desired, manager=OBJECTS_MANAGER, force=True)
    except KubeError as error:
        return Result(name, "failed", str(error))
    return Result(name, "updated")


def judge(raw: bytes, desired: Crd) -> Result | None:
    """What becomes of a CRD that is there and must not be written; None when it is to be. Pure."""
    live, name = decode_object(raw, _KIND), desired["metadata"]["name"]
    ours = applied_by(live.managed, OBJECTS_MANAGER)
    as_sent = live.annotations.get(HASH_ANNOTATION) == desired["metadata"]["annotations"][HASH_ANNOTATION]
    if ours is not None and as_sent and covers_exactly(ours.fields_v1, desired):
        return Result(name, "unchanged")
    # Our own group is ours whoever installed it: kubectl, or upstream's chart before us.
    if ours is None and desired["spec"]["group"] != API_GROUP:
        outcome = crd_stands(live, raw, desired)
        if outcome is not None and outcome.action is Action.REFUSED and outcome.finding is not None:
            return Result(name, "refused", outcome.finding.message)
        return Result(name, "left alone", f"it is of {live.holder} and serves what is needed")
    crd: Crd = msgspec.json.decode(raw)
    unknown = parts(crd) - parts(desired)
    if not unknown:
        return None
    if why := trouble(crd, desired):
        return Result(name, "refused", f"it is {why}")
    return Result(name, "left alone", f"it is newer: this version does not know {shown(unknown)}")


def read(folder: Path) -> list[Crd]:
    """The CRDs of a folder's YAML files. Raises Unusable."""
    found: list[Crd] = []
    for path in sorted(folder.glob("*.yaml")):
        try:
            documents = [document for document in yaml.safe_load_all(path.read_text()) if document]
        except (OSError, ValueError, yaml.YAMLError) as error:
            raise Unusable(f"{path} is not readable: {' '.join(str(error).split())}") from error
        if any(not isinstance(each, Mapping) or each.get("kind") != _KIND for each in documents):
            raise Unusable(f"{path} has something other than {_KIND}s: give a folder of CRDs")
        found += documents
    if not found:
        raise Unusable(f"{folder} has no CRDs: give a folder of YAML files, or none for those of this version")
    return found


async def _run(crds: Iterable[Crd], kubeconfig: Path | None) -> int:
    kube = await Kube.connect(kubeconfig)
    try:
        results = [await install(kube, crd) for crd in crds]
    finally:
        await kube.close()
    for result in results:
        sys.stdout.write(f"{result}\n")
    return max(result.exit for result in results)


def main(arguments: Sequence[str]) -> int:
    """Exit code 0 when every CRD can be used; 1 when the API server did not let us write one.

    2 for what another attempt does not mend: arguments that cannot be used, and a CRD that must not be written.
    """
    parser = argparse.ArgumentParser("python -m coordinator.install_crds", description="Installs nicfleet's CRDs.")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="CRDs as YAML (default: those of this version)")
    parser.add_argument("--kubeconfig", type=Path, metavar="FILE", help="(default: the Pod's own ServiceAccount)")
    given = parser.parse_args(arguments)
    try:
        crds = read(given.folder) if given.folder else list(definitions().values())
        return asyncio.run(_run(crds, given.kubeconfig))
    except (Unusable, ConfigurationError) as error:
        sys.stderr.write(f"install_crds: {error}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
