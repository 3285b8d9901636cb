"""When a token says that it ends."""

import base64
import json
from typing import Any

import pytest

from coordinator.authentication.claims import expiry


def jwt(payload: Any) -> str:
    parts = ({"alg": "RS256"}, payload)
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*encoded, "c2lnbmF0dXJl"])


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        pytest.param(jwt({"exp": 1_700_000_000, "sub": "x"}), 1_700_000_000, id="jwt"),
        pytest.param(jwt({"exp": 1.5}), 1.5, id="fraction"),
        pytest.param(jwt({"sub": "?>~"}), None, id="no-end"),
        pytest.param(jwt({"exp": "soon"}), None, id="no-number"),
        pytest.param(jwt([1]), None, id="no-claims"),
        pytest.param("0123abcd", None, id="opaque"),
        pytest.param("a.b", None, id="two-parts"),
        pytest.param("a.\xff.c", None, id="no-base64"),
        pytest.param("..", None, id="empty"),
    ],
)
def test_expiry(token: str, expected: float | None) -> None:
    assert expiry(token) == expected
