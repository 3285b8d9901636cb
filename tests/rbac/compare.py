"""Rights and their use, compared. Pure.

A right is needed when something that was done is allowed by no other: of two that allow the same, neither is. And a
right in the whole cluster that was needed in one and the same namespace only belongs in a Role there.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from tests.rbac.rights import Grant, Use


@dataclass(frozen=True, slots=True)
class Differences:
    """Sentences; none in any of them when every right is used, and every use is allowed."""

    ungranted: tuple[str, ...] = ()
    """Was done, and no role allows it."""
    unneeded: tuple[str, ...] = ()
    """Is allowed, and nothing needed it."""
    too_wide: tuple[str, ...] = ()
    """Is allowed in the whole cluster, and was needed in one namespace only."""
    stale: tuple[str, ...] = ()
    """Is an exception, and was needed after all or is not allowed at all."""


def differences(grants: frozenset[Grant], uses: frozenset[Use], exceptions: frozenset[Grant]) -> Differences:
    """`exceptions` are grants that nothing is expected to need as wide as they are."""
    covering = {use: [grant for grant in grants if grant.covers(use)] for use in uses}
    needed = {found[0] for found in covering.values() if len(found) == 1}
    wide = {grant for grant in needed if not grant.place and _place({use for use in uses if grant.covers(use)})}
    idle = (grants - needed) | wide
    return Differences(
        ungranted=_said(use for use, found in covering.items() if not found),
        unneeded=_said(grants - needed - exceptions),
        too_wide=_said(wide - exceptions),
        stale=_said(exceptions - idle),
    )


def _place(uses: Iterable[Use]) -> str:
    """The one namespace that all of them are in; empty when there is none."""
    namespaces = {use.namespace for use in uses}
    return namespaces.pop() if len(namespaces) == 1 else ""


def _said(of: Iterable[Grant | Use]) -> tuple[str, ...]:
    return tuple(sorted(map(str, of)))
