"""Quantities as Kubernetes reads them."""

from fractions import Fraction

import pytest

from coordinator.states.quantities import amount


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [
        pytest.param(2, Fraction(2), id="integer"),
        pytest.param("500m", Fraction(1, 2), id="thousandths"),
        pytest.param("1n", Fraction(1, 10**9), id="billionths"),
        pytest.param("1.5Gi", Fraction(3 * 2**29), id="binary"),
        pytest.param("5.", Fraction(5), id="dot-at-end"),
        pytest.param(".5k", Fraction(500), id="dot-at-start"),
        pytest.param("1E", Fraction(10**18), id="exa"),
        pytest.param("1E3", Fraction(1000), id="exponent"),
        pytest.param("2e-3", Fraction(1, 500), id="negative-exponent"),
        pytest.param("+1", Fraction(1), id="sign"),
        pytest.param("-1Mi", Fraction(-(2**20)), id="negative"),
        pytest.param("0", Fraction(0), id="zero"),
    ],
)
def test_amount(quantity: int | str, expected: Fraction) -> None:
    assert amount(quantity) == expected


@pytest.mark.parametrize(
    "quantity",
    [
        pytest.param("", id="empty"),
        pytest.param("1 Gi", id="blank"),
        pytest.param("1x", id="unknown-suffix"),
        pytest.param("1e1.5", id="fraction-in-exponent"),
        pytest.param("1e999999999", id="exponent-that-would-fill-the-memory"),
        pytest.param("1" * 5000, id="more-digits-than-anyone-means"),
        pytest.param("٣", id="digits-of-another-script"),
        pytest.param("1\n", id="newline"),
    ],
)
def test_no_amount(quantity: str) -> None:
    assert amount(quantity) is None
