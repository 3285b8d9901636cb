"""The webhook's certificate: read from a folder, and read again when somebody renews it there."""

import asyncio
import hashlib
import logging
import ssl
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 1.0


class CertificateUnusable(RuntimeError):
    """The folder has no certificate and key that belong together; the sentence says what is wrong."""


class Certificate:
    """`tls.crt` and `tls.key` of a folder, as a TLS context that serves the latest usable pair to new connections."""

    def __init__(self, folder: Path) -> None:
        """Raises CertificateUnusable."""
        self._files = (folder / "tls.crt", folder / "tls.key")
        self._folder = folder
        self._refused = b""
        self.context = _server_context()
        self._loaded = self._load()

    async def follow(self) -> None:
        """Look for a new pair for ever. One that cannot be used is told once, and the one before stays in use."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self.look()

    def look(self) -> None:
        """Take in the pair in the folder if it is another one."""
        digest = b""
        try:
            digest = self._digest()
            if digest == self._loaded:
                return
            self._loaded = self._load()
        except CertificateUnusable as error:
            if digest != self._refused:
                log.warning("new certificate cannot be used", extra={"error": str(error)})
            self._refused = digest
        else:
            log.info("certificate renewed", extra={"folder": str(self._folder)})

    def _load(self) -> bytes:
        """Load the pair and return its digest.

        First into another context: half a pair, as it is while somebody renews it file by file, would spoil the one
        in use.
        """
        digest = self._digest()
        for context in (_server_context(), self.context):
            try:
                context.load_cert_chain(*self._files, password="")  # never asked for on a terminal
            except (OSError, ValueError) as error:
                raise self._unusable(error) from error
        return digest

    def _digest(self) -> bytes:
        try:
            return hashlib.sha256(b"\0".join(file.read_bytes() for file in self._files)).digest()
        except OSError as error:
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> CertificateUnusable:
        why = (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
        return CertificateUnusable(
            f"the webhook has no usable tls.crt and tls.key in {self._folder} ({why}): "
            "put a PEM certificate and its key there, or name their folder with --webhook-cert-dir"
        )


def _server_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
