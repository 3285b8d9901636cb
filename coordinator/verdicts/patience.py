"""What is worth telling only once it lasts."""

from collections.abc import Hashable, Iterable
from datetime import datetime, timedelta


class Patience:
    """Since when which nodes have been so, subject by subject."""

    def __init__(self) -> None:
        self._overdue: dict[Hashable, dict[str, datetime]] = {}

    def lasting(
        self,
        subject: Hashable,
        nodes: Iterable[str],
        now: datetime,
        grace: timedelta,
        *,
        told: bool = False,
        settled: bool = True,
    ) -> frozenset[str]:
        """Of the nodes that are so now, those that have been for the whole grace.

        `told` is what the world was told before this process began: then the time of grace is over for the nodes of
        the first look. That one is not over before the fleet is `settled`: until then agents are still to be heard.
        """
        before = self._overdue.get(subject)
        if before is None and told and not settled:
            return frozenset(nodes)
        first = now if told and before is None else now + grace
        current = {node: (before or {}).get(node, first) for node in nodes}
        self._overdue[subject] = current
        return frozenset(node for node, at in current.items() if at <= now)

    def keep(self, subjects: Iterable[Hashable]) -> None:
        """Forget all other subjects."""
        kept = set(subjects)
        self._overdue = {subject: nodes for subject, nodes in self._overdue.items() if subject in kept}

    def next(self, now: datetime) -> datetime | None:
        """When a time of grace ends next; None when none is running."""
        return min((at for nodes in self._overdue.values() for at in nodes.values() if at > now), default=None)
