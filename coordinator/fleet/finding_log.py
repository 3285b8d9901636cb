"""What the agents find on their nodes, one log line when it appears and one when it is over."""

import logging
from collections.abc import Iterable

from nicfleet.reasons import Finding

log = logging.getLogger(__name__)


class FindingLog:
    """Remembers what it has said of each node."""

    def __init__(self) -> None:
        self._said: dict[str, frozenset[Finding]] = {}

    def tell(self, node: str, findings: Iterable[Finding]) -> None:
        """These are the node's findings now; none for a node that is gone."""
        before, now = self._said.pop(node, frozenset()), frozenset(findings)
        if now:
            self._said[node] = now
        for finding in sorted(now - before):
            log.warning("node finding", extra={"node": node, "reason": finding.reason, "why": finding.message})
        for finding in sorted(before - now):
            log.info("node finding is over", extra={"node": node, "reason": finding.reason, "why": finding.message})
