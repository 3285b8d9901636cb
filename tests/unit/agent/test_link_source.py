"""A netlink that fails or hangs costs a look what netlink would have said, and nothing more."""

import errno
import threading
from collections.abc import Callable, Iterator
from time import monotonic

import pytest

from agent import link_source
from agent.link_source import LinkSource
from agent.links import LinkInfo, Links

FIRST = Links((LinkInfo(1, "ens1f0"),), from_netlink=True)
SECOND = Links((LinkInfo(2, "ens2f0"),), from_netlink=True)
SECONDS = 30.0
"""In which a dump that does not hang has ended on any machine."""


def answering(*answers: Callable[[], Links]) -> LinkSource:
    """Each dump gives the next answer."""
    rest: Iterator[Callable[[], Links]] = iter(answers)
    return LinkSource(lambda: next(rest)())


def refuse() -> Links:
    raise OSError(errno.ENOBUFS, "No buffer space available")


def stumble() -> Links:
    raise KeyError("index")


@pytest.mark.parametrize("fail", [refuse, stumble])
def test_a_dump_that_fails_leaves_the_last_one_and_is_told_once(
    fail: Callable[[], Links], caplog: pytest.LogCaptureFixture
) -> None:
    source = answering(lambda: FIRST, fail, fail, lambda: SECOND, fail)
    seen = [source.links() for _ in range(3)]
    assert seen == [FIRST, FIRST, FIRST]
    assert caplog.messages == ["netlink gives no links"]
    assert source.links() == SECOND
    assert source.links() == SECOND
    assert len(caplog.messages) == 2, "a new failure is told anew"


def test_without_any_dump_there_is_sysfs_only(caplog: pytest.LogCaptureFixture) -> None:
    assert answering(refuse).links() is None
    assert caplog.messages == ["netlink gives no links"]


def test_a_dump_that_hangs_costs_one_deadline_and_is_not_asked_on_top(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_source, "DUMP_SECONDS", SECONDS)
    let_go = threading.Event()

    def hang() -> Links:
        let_go.wait()
        return FIRST

    source = answering(lambda: FIRST, hang, lambda: SECOND)
    assert source.links() == FIRST
    with monkeypatch.context() as impatient:
        impatient.setattr(link_source, "DUMP_SECONDS", 0.1)
        assert source.links() == FIRST
    began = monotonic()
    assert source.links() == FIRST
    assert monotonic() - began < SECONDS, "while it hangs, no look waits again"

    let_go.set()
    while (links := source.links()) == FIRST and monotonic() - began < SECONDS:
        threading.Event().wait(0.01)
    assert links == SECOND
