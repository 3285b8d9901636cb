"""SIGKILL at any moment of a rollout, and what the next coordinator makes of it."""

from collections import Counter
from collections.abc import Iterable
from itertools import count, pairwise
from typing import Any

import msgspec
from aiohttp import web

from nicfleet import names
from tests.integration.coordinator.proxy import Answer
from tests.integration.system.conftest import Behind
from tests.integration.system.fleet import WITH_DRIVER
from tests.integration.system.product import Product, sections
from tests.integration.system.waiting import eventually

FATAL = 3
"""The write of each life that it does not survive."""

_WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class Killer:
    """Kills the coordinator at its FATAL-th write: in odd lives before the server gets it, in even ones before the
    coordinator hears that it was done."""

    def __init__(self, product: Product) -> None:
        self._product = product
        self.life = 0
        self._writes = 0
        self.labels: list[frozenset[str]] = []
        """The keys of each label write that was done."""

    def begin(self) -> None:
        self.life += 1
        self._writes = 0

    def asked(self, request: web.Request) -> Answer | None:
        self._writes += request.method in _WRITES
        if request.method in _WRITES and self._writes == FATAL and self.life % 2:
            self._product.coordinator.kill()
            return Answer(503, "nobody will read this")
        return None

    def done(self, request: web.Request, body: bytes) -> None:
        if request.query.get("fieldManager") == names.LABELS_MANAGER:
            applied: dict[str, Any] = msgspec.json.decode(body)
            self.labels.append(frozenset(applied["metadata"]["labels"]))
        if request.method in _WRITES and self._writes == FATAL and not self.life % 2:
            self._product.coordinator.kill()


def test_a_coordinator_that_dies_every_third_write_rolls_out_all_the_same(behind: Behind) -> None:
    """No object is written twice, no label is lost in between, and in the end there is nothing left to write."""
    product = behind.product
    killer = Killer(product)
    behind.network.answer, behind.network.done = killer.asked, killer.done
    product.register("node")
    product.apply(**sections("ofedDriver", "rdmaSharedDevicePlugin", "secondaryNetwork"))
    product.simulated.report("node", WITH_DRIVER)

    for _ in count():
        killer.begin()
        product.coordinator.process.start()
        if eventually(lambda: _outcome(product)) == "ready":
            break

    assert killer.life > 4
    assert _repeated(product.audit.objects()) == []
    assert all(later >= earlier for earlier, later in pairwise(killer.labels))
    behind.network.answer = lambda request: None
    behind.network.done = lambda request, body: None
    product.audit.mark()
    product.coordinator.restart()
    eventually(lambda: product.judged() == "ready")
    assert product.audit.writes() == []


def _outcome(product: Product) -> str:
    """How this life ended, or that it may live."""
    if product.coordinator.process.pid is None:
        return "killed"
    status = product.api.status()
    verified = {c["type"]: c["status"] for c in status.get("conditions", ())}.get("Verified") == "True"
    return "ready" if status.get("state") == "ready" and verified else ""


def _repeated(writes: Iterable[object]) -> list[object]:
    return [write for write, times in Counter(writes).items() if times > 1]
