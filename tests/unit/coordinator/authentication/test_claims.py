"""What a token says of itself."""

import base64
import json
from typing import Any

import pytest

from coordinator.authentication.claims import Claims, claims_of


def jwt(payload: Any) -> str:
    parts = ({"alg": "RS256"}, payload)
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*encoded, "c2lnbmF0dXJl"])


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        pytest.param(jwt({"exp": 1_700_000_000, "aud": ["x", "y"]}), Claims(1_700_000_000, ("x", "y")), id="jwt"),
        pytest.param(jwt({"exp": 1.5}), Claims(1.5), id="fraction"),
        pytest.param(jwt({"sub": "?>~"}), Claims(), id="no-end"),
        pytest.param(jwt({"aud": "x"}), Claims(aud="x"), id="one-audience"),
        pytest.param(jwt({"aud": [1]}), None, id="audience-no-text"),
        pytest.param(jwt({"exp": "soon"}), None, id="no-number"),
        pytest.param(jwt([1]), None, id="no-claims"),
        pytest.param("0123abcd", None, id="opaque"),
        pytest.param("a.b", None, id="two-parts"),
        pytest.param("a.\xff.c", None, id="no-base64"),
        pytest.param("..", None, id="empty"),
    ],
)
def test_claims(token: str, expected: Claims | None) -> None:
    assert claims_of(token) == expected


@pytest.mark.parametrize("aud", ["x", ["x"]])
def test_an_audience_is_one_or_several(aud: str | list[str]) -> None:
    claims = claims_of(jwt({"aud": aud}))
    assert claims is not None
    assert claims.audiences == ("x",)
