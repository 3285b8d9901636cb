"""What every API model shares: how it reads and writes JSON, and the Kubernetes types that pydantic does not know."""

from datetime import datetime
from typing import Annotated, Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema
from pydantic.alias_generators import to_camel

T = TypeVar("T")

QUANTITY_PATTERN: Final = (
    r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))"
    r"(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$"
)

Int32 = Annotated[int, Field(json_schema_extra={"format": "int32"})]
Int64 = Annotated[int, Field(json_schema_extra={"format": "int64"})]
Quantity = Annotated[
    int | str,
    WithJsonSchema(
        {
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "pattern": QUANTITY_PATTERN,
            "x-kubernetes-int-or-string": True,
        }
    ),
]
"""A Kubernetes resource quantity, e.g. `500m` or `256Mi`; a bare integer is allowed, a fraction must be quoted."""

AtomicTuple = Annotated[tuple[T, ...], Field(json_schema_extra={"x-kubernetes-list-type": "atomic"})]
"""A list that server-side apply replaces as a whole."""


class Model(BaseModel):
    """A part of a custom resource: immutable, camelCase in JSON, unknown fields ignored.

    Unknown fields are ignored because the API server has already validated what we read, and an older coordinator
    must survive a newer CRD.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        frozen=True,
        extra="ignore",
    )


class ObjectMeta(Model):
    """The parts of an object's metadata that decisions use."""

    name: str
    uid: str = ""
    generation: Int64 = 0
    creation_timestamp: datetime | None = None
