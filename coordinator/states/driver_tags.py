"""What a registry says of a driver image, as a value that a pass decides by. Who asks it is `coordinator.registry`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DriverImage:
    """A driver image as a policy asks for it, with what `spec.global` fills in.

    `name` is `repository/image`; `pull_secrets` are Secrets in the operator's namespace.
    """

    name: str
    version: str
    pull_secrets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pending:
    """It is being asked for the first time, which takes seconds."""


@dataclass(frozen=True, slots=True)
class Known:
    """The registry has told all its tags; `found` are those of this version."""

    found: frozenset[str]


@dataclass(frozen=True, slots=True)
class Refused:
    """The registry answers and does not tell; `why` is half a sentence."""

    why: str


@dataclass(frozen=True, slots=True)
class Away:
    """There is no answer that can be used; `why` is half a sentence."""

    why: str


Tags = Pending | Known | Refused | Away
