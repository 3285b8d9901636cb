"""What must be so before the coordinator can work: the API server answers and serves our CRDs, new enough."""

import asyncio
import logging
from typing import Final

from coordinator.crd import definitions
from coordinator.crd_parts import BROUGHT_IN_STEP, trouble
from coordinator.kube.answers import object_in
from coordinator.kube.client import Kube
from coordinator.kube.errors import KubeError, NotFound
from coordinator.kube.objects import Obj, Ref, Resource
from nicfleet.names import API_GROUP

log = logging.getLogger(__name__)

RETRY_SECONDS: Final = 2.0


class CrdUnusable(RuntimeError):
    """A CRD is absent or lacks something; the sentence names it and the commands that help."""


async def require_crd(kube: Kube, resource: Resource) -> None:
    """Wait until the API server answers; raise CrdUnusable unless it has the CRD, and with every field of ours.

    The API server forgets what a user writes into a field that its CRD lacks, and what we write into such a status.
    """
    ref = Ref("CustomResourceDefinition", "", f"{resource.plural}.{resource.group}")
    try:
        crd = await _found(kube, ref)
    except NotFound as error:
        raise CrdUnusable(f"{ref} is not installed: {BROUGHT_IN_STEP}") from error
    if why := trouble(crd, definitions()[f"{API_GROUP}_{resource.plural}.yaml"]):
        raise CrdUnusable(f"{ref} is {why}")


async def _found(kube: Kube, ref: Ref) -> Obj:
    """Any refusal is waited out: the server begins, or the rights come a moment after us. Raises NotFound for this CRD.

    While a server begins, it may not know the very kind of a CRD.
    """
    told = ""
    while True:
        try:
            return object_in(await kube.get(ref), ref)
        except KubeError as error:
            if isinstance(error, NotFound) and not error.kind_unknown:
                raise
            if str(error) != told:
                told = str(error)
                log.warning("waiting for the API server", extra={"error": told})
            await asyncio.sleep(RETRY_SECONDS)
