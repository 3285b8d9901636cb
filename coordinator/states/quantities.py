"""Kubernetes quantities as numbers: `500m`, `1.5Gi`, `2e3`. The schema has checked their form; not what they mean."""

import re
from fractions import Fraction
from typing import Final

_QUANTITY: Final = re.compile(r"([+-]?)([0-9]+\.?[0-9]*|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]{1,3})?")
_LONGEST: Final = 64

_FACTORS: Final = {
    **{suffix: Fraction(1, 1000**power) for power, suffix in enumerate("mun", start=1)},
    **{suffix: Fraction(1000**power) for power, suffix in enumerate("kMGTPE", start=1)},
    **{f"{suffix}i": Fraction(1024**power) for power, suffix in enumerate("KMGTPE", start=1)},
}


def amount(quantity: int | str) -> Fraction | None:
    """The exact number that a quantity stands for; None for a text that is no quantity of any use.

    The schema's pattern also allows exponents with a fraction or of any size: Kubernetes reads none of the former, and
    caps the latter.
    """
    text = str(quantity)
    match = _QUANTITY.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None:
        return None
    sign, digits, suffix = match.groups()
    number = Fraction(digits) * (_factor(suffix) if suffix else 1)
    return -number if sign == "-" else number


def _factor(suffix: str) -> Fraction:
    return _FACTORS[suffix] if suffix in _FACTORS else Fraction(10) ** int(suffix[1:])
