"""A folder with a certificate and its key that somebody else renews: cert-manager by a mounted Secret, or a person."""

import hashlib
import ssl
from dataclasses import dataclass
from pathlib import Path

from coordinator.certificates.issue import Pair, Unreadable, facts, require_certificates
from nicfleet.pem import certificates


class CertificateUnusable(RuntimeError):
    """The folder has no certificate and key that belong together; the sentence says what is wrong."""


@dataclass(frozen=True, slots=True)
class CertificateFolder:
    """`tls.crt` and `tls.key` of a folder. Every method raises CertificateUnusable."""

    path: Path
    owner: str
    """Who shows the certificate, as a sentence begins."""
    flag: str
    """By which the folder is named."""

    def digest(self) -> bytes:
        """Another one when the files have changed."""
        certificate, key = self._read()
        return hashlib.sha256(certificate + b"\0" + key).digest()

    def load(self, context: ssl.SSLContext) -> None:
        """Load the pair into the context.

        First into another one: half a pair, as it is while somebody renews it file by file, would spoil one in use.
        """
        for each in (server_context(), context):
            try:
                each.load_cert_chain(*self._files, password="")  # never asked for on a terminal
            except (OSError, ValueError) as error:
                raise self._unusable(error) from error

    def pair(self) -> Pair:
        """The pair, which belongs together."""
        pair = self._read()
        self.load(server_context())
        if self._read() != pair:  # renewed between the two, so that nobody has looked at this one
            return self.pair()
        try:
            facts(pair.certificate)
        except Unreadable as error:
            raise self._unusable(error) from error
        return pair

    def authorities(self) -> bytes:
        """The certificates in `ca.crt`: whom to trust, so that the own one is."""
        file = self.path / "ca.crt"
        try:
            found = certificates(file.read_bytes())
            require_certificates(found)
        except (OSError, Unreadable) as error:
            raise CertificateUnusable(
                f"{self.owner} cannot use {file} ({_why(error)}): put the PEM certificate of the authority there that "
                "signed its own, so that agents can be told of it"
            ) from error
        return found

    @property
    def _files(self) -> tuple[Path, Path]:
        return self.path / "tls.crt", self.path / "tls.key"

    def _read(self) -> Pair:
        return Pair(*map(self._bytes, self._files))

    def _bytes(self, file: Path) -> bytes:
        try:
            return file.read_bytes()
        except OSError as error:
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> CertificateUnusable:
        return CertificateUnusable(
            f"{self.owner} has no usable tls.crt and tls.key in {self.path} ({_why(error)}): "
            f"put a PEM certificate and its key there, or name their folder with {self.flag}"
        )


def _why(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__


def server_context() -> ssl.SSLContext:
    """A context of a server, yet without a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
