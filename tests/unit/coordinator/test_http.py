"""What Prometheus is told of refusals."""

from collections import Counter

from prometheus_client import generate_latest

from coordinator.http import RefusalCollector, registry
from nicfleet.reasons import Reason


def test_refusals_are_a_counter_by_reason() -> None:
    counts = Counter[Reason]()
    metrics = registry(RefusalCollector(counts))
    counts[Reason.IdentityForeign] += 2
    text = generate_latest(metrics).decode()
    assert "# TYPE nicfleet_refusals_total counter" in text
    assert 'nicfleet_refusals_total{reason="IdentityForeign"} 2.0' in text
