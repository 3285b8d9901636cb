"""What the coordinator is told of its certificate."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """Of the certificate that agents and viewers are shown, in the coordinator's namespace."""

    folder: Path | None
    """Of `tls.crt`, `tls.key` and `ca.crt`, which somebody else renews; None: the coordinator makes its own."""
    secret: str
    """Where it keeps its own."""
    config_map: str
    """Where agents find the authority."""
    service: str
    """By whose name it is reached."""
