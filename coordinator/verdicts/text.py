"""Foreign text made fit for a status: one line, bounded, and the same on every pass.

A status text that carries a time or a process id changes with every restart of a container and would cause a write
each time.
"""

import re
from typing import Final

_VARYING: Final = (
    re.compile(r"\b\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(?:[.,]\d+)?(?:Z|[+-]\d{2}:?\d{2})?"),
    re.compile(r"\b\d{2}:\d{2}:\d{2}(?:[.,]\d+)?\b"),
    re.compile(r"\b[Pp][Ii][Dd][ =:]*\d+\b"),
    re.compile(r"\[\s*\d+(?:\.\d+)?\]"),
    re.compile(r"\b(?:after|in|back-off) \d+m?(?:\d+(?:\.\d+)?)?s\b"),
)
_PULL_ERROR: Final = re.compile(r"^Back-off pulling image .*?: (?:ErrImagePull|ErrImageNeverPull): ", re.DOTALL)


def one_line(text: str, limit: int = 200) -> str:
    """Fold white space, take out times, process ids and waiting times, and cut at `limit` characters."""
    for pattern in _VARYING:
        text = pattern.sub("", text)
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def registry_answer(message: str) -> str:
    """What the registry said, without the kubelet's own words about backing off."""
    return one_line(_PULL_ERROR.sub("", message)) or "the kubelet gives no reason"
