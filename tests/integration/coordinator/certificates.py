"""Self-signed certificates for 127.0.0.1, as the webhook's how-to makes them."""

import subprocess
from pathlib import Path

_REQUEST = ("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def write_certificate(folder: Path, name: str = "webhook") -> bytes:
    """Put a new `tls.crt` and `tls.key` into the folder, and return the former."""
    certificate, key = folder / "tls.crt", folder / "tls.key"
    subprocess.run(
        [*_REQUEST, "-days", "1", "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    return certificate.read_bytes()
