"""Objects in answers. Something between us and the API server may answer 200 with anything."""

from typing import Any

import msgspec

from coordinator.kube.errors import unreachable
from coordinator.kube.objects import Obj, Ref


def object_in(answer: bytes, ref: Ref) -> Obj:
    """The object that was asked for, or written. Raises Unreachable for what is none: no API server answers so."""
    why = "that is no object"
    try:
        found: Any = msgspec.json.decode(answer)
    except ValueError as error:  # msgspec's own, or that it is no UTF-8
        found, why = None, str(error)
    if isinstance(found, dict) and found.get("kind") == ref.kind and isinstance(found.get("metadata"), dict):
        return found
    raise unreachable("read", str(ref), f"its answer is no {ref.kind}: {why}")
