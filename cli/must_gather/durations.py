"""Times as kubectl takes them. Pure."""

import re
from typing import Final

_SECONDS: Final = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_PART: Final = re.compile(r"([0-9]{1,6})([dhms])")


def seconds(text: str) -> int:
    """Of "6h", "1h30m" or "90s". Raises ValueError for anything else, and for nothing at all."""
    parts = _PART.findall(text)
    total = sum(int(count) * _SECONDS[unit] for count, unit in parts)
    if "".join(count + unit for count, unit in parts) != text or total == 0:
        raise ValueError(f"{text!r} is no time: give for example 6h, 1h30m or 90s")
    return total
