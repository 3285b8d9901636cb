"""Answers to reviews that are none: something between us and the API server may answer 200 with anything."""

from dataclasses import dataclass
from typing import Any

import pytest

from coordinator.authentication.reviews import may_view, whose
from coordinator.authentication.rules import User
from coordinator.kube.errors import Unreachable


@dataclass
class Answers:
    """A client whose every answer is this one."""

    body: bytes

    async def review(self, *_: object) -> bytes:
        return self.body


@pytest.mark.parametrize("body", [b"<html>", b'{"status": {"error": "\xff"}}', b"[]", b"{}", b""])
async def test_no_review_is_no_answer(body: bytes) -> None:
    kube: Any = Answers(body)
    with pytest.raises(Unreachable, match="its answer is no review"):
        await whose(kube, "token")
    with pytest.raises(Unreachable, match="its answer is no review"):
        await may_view(kube, User("somebody", "", (), {}))
