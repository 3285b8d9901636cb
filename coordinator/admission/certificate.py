"""The webhook's certificate: read from a folder, and read again when somebody renews it there."""

import asyncio
import logging
from pathlib import Path
from typing import Final

from coordinator.certificates.folder import CertificateFolder, CertificateUnusable, server_context

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 1.0


class Certificate:
    """`tls.crt` and `tls.key` of a folder, as a TLS context that serves the latest usable pair to new connections."""

    def __init__(self, folder: Path) -> None:
        """Raises CertificateUnusable."""
        self._folder = CertificateFolder(folder, "the webhook", "--webhook-cert-dir")
        self._refused = b""
        self.context = server_context()
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
            digest = self._folder.digest()
            if digest == self._loaded:
                return
            self._loaded = self._load()
        except CertificateUnusable as error:
            if digest != self._refused:
                log.warning("new certificate cannot be used", extra={"error": str(error)})
            self._refused = digest
        else:
            log.info("certificate renewed", extra={"folder": str(self._folder.path)})

    def _load(self) -> bytes:
        """Load the pair and return its digest."""
        digest = self._folder.digest()
        self._folder.load(self.context)
        return digest
