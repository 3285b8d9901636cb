"""What a user may write into `containerResources`: known containers, resources that exist, amounts that make sense."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final

from coordinator.policy import ContainerResources, InvalidSpec
from coordinator.states.quantities import amount

_LONGEST_SHOWN: Final = 80

# Those that Kubernetes itself has for containers, and the extended ones, which have a domain. Upstream's webhook takes
# only the first two, its operator any.
_RESOURCE: Final = re.compile(
    r"cpu|memory|ephemeral-storage|hugepages-[0-9]+[KMG]i"
    r"|[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?/[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?"
)
_NEVER_ZERO: Final = frozenset({"cpu", "memory"})
"""Kubernetes takes zero as "none asked for" or as no limit at all: whoever writes it means something else."""

Amounts = Mapping[str, int | str]


def problems(field: str, entries: Iterable[ContainerResources], containers: Collection[str]) -> Iterator[InvalidSpec]:
    """All that is wrong with the entries of a component's `containerResources`.

    `field` is the path of the section, `containers` are those that the component has.
    """
    for index, entry in enumerate(entries):
        path = f"{field}.containerResources[{index}]"
        if entry.name not in containers:
            yield InvalidSpec(
                f"{path}.name",
                f"is {_shown(entry.name)}, a container that this component does not have",
                f"use {' or '.join(containers)}",
            )
        yield from _wrong_amounts(f"{path}.requests", entry.requests or {})
        yield from _wrong_amounts(f"{path}.limits", entry.limits or {})
        yield from _limits_below_requests(path, entry.requests or {}, entry.limits or {})


def _wrong_amounts(path: str, given: Amounts) -> Iterator[InvalidSpec]:
    for name, quantity in given.items():
        if _RESOURCE.fullmatch(name) is None:
            yield InvalidSpec(path, f"has the resource {_shown(name)}, which no container has", "use cpu and memory")
            continue
        number = amount(quantity)
        if number is None:
            yield InvalidSpec(f"{path}.{name}", f"is {_shown(quantity)}, no quantity", "write it as 500m or 256Mi")
        elif number < 0 or (number == 0 and name in _NEVER_ZERO):
            fix = "give more than zero, or leave it out"
            yield InvalidSpec(f"{path}.{name}", f"is {_shown(quantity)}", fix)


def _limits_below_requests(path: str, requests: Amounts, limits: Amounts) -> Iterator[InvalidSpec]:
    for name, limit in limits.items():
        most, least = amount(limit), amount(requests.get(name, ""))
        if most is not None and least is not None and most < least:
            yield InvalidSpec(
                f"{path}.limits.{name}",
                f"is {_shown(limit)}, less than the request of {_shown(requests[name])}",
                "raise the limit or lower the request",
            )


def _shown(value: int | str) -> str:
    return repr(str(value)[:_LONGEST_SHOWN])
