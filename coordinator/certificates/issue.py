"""Certificates made and read. Pure but for the keys, which are random."""

import ipaddress
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from nicfleet.pem import certificates

AUTHORITY_LIFE: Final = timedelta(days=5 * 365)
SERVER_LIFE: Final = timedelta(days=90)
SKEW: Final = timedelta(hours=1)
"""A certificate is valid so long before it is made: nodes' clocks differ."""


_CURVES: Final = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
"""Of keys with which TLS works everywhere."""

_ODD: Final = (
    ValueError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
"""What `cryptography` raises for what it cannot, or will not, read."""


class Unreadable(ValueError):
    """Not a certificate, or not one that serves its purpose; the text says why."""


class Pair(NamedTuple):
    """A certificate and its private key, both in PEM."""

    certificate: bytes
    key: bytes


class Facts(NamedTuple):
    """What a certificate says of itself."""

    begins: datetime
    """From when it is valid."""
    expires: datetime
    names: frozenset[str]
    """Host names and addresses that it is for."""

    @property
    def made(self) -> datetime:
        """When, if we made it."""
        return self.begins + SKEW

    def holds(self, now: datetime) -> bool:
        """Whether it is valid."""
        return self.begins <= now < self.expires


def new_authority(now: datetime) -> Pair:
    """An authority that signs servers' certificates and nothing else."""
    key = ec.generate_private_key(ec.SECP256R1())
    # Two of them are trusted at a time, and found by their names.
    name = _name(f"nicfleet {now:%Y-%m-%dT%H:%M:%SZ}")
    usage = _key_usage(signs_certificates=True)
    builder = (
        _builder(name, name, key.public_key(), now, now + AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
    )
    return _signed(builder, key, key)


def new_server(authority: Pair, names: Iterable[str], now: datetime) -> Pair:
    """A certificate for a server of these host names and addresses, signed by the authority."""
    issuer = x509.load_pem_x509_certificate(authority.certificate)
    signer = _private_key(authority.key)
    key = ec.generate_private_key(ec.SECP256R1())
    expires = min(now + SERVER_LIFE, issuer.not_valid_after_utc)
    builder = (
        _builder(_name("nicfleet-coordinator"), issuer.subject, key.public_key(), now, expires)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    return _signed(builder, key, signer)


def facts(certificate: bytes) -> Facts:
    """Of the first certificate in a PEM text. Raises Unreadable."""
    with _readable():
        read = _first(certificate)
        try:
            extension = read.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        except x509.ExtensionNotFound:
            names = frozenset[str]()
        else:
            names = frozenset(str(name.value) for name in extension.value)
        return Facts(read.not_valid_before_utc, read.not_valid_after_utc, names)


def require_certificates(pem: bytes) -> None:
    """Raises Unreadable when there is none in a PEM text, or one that cannot be read."""
    _first(pem)
    with _readable():
        for each in x509.load_pem_x509_certificates(pem):
            _ = each.extensions


def require_pair(pair: Pair) -> None:
    """Raises Unreadable when the key is not that of the certificate, or one of them is none, or of an odd kind."""
    with _readable():
        of_certificate = _first(pair.certificate).public_key()
        key = _private_key(pair.key)
    facts(pair.certificate)
    if _bytes(of_certificate) != _bytes(key.public_key()):
        raise Unreadable("the key belongs to another certificate")


def require_authority(certificate: bytes) -> None:
    """Raises Unreadable when it may not sign others."""
    with _readable():
        extensions = _first(certificate).extensions
        try:
            signs = extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        except x509.ExtensionNotFound:
            signs = False
    if not signs:
        raise Unreadable("the certificate is none of an authority")


def is_signed_by(certificate: bytes, authority: bytes) -> bool:
    """Whether the authority of this certificate signed that one. Both can be read."""
    issuer = x509.load_pem_x509_certificate(authority)
    try:
        x509.load_pem_x509_certificate(certificate).verify_directly_issued_by(issuer)
    except (InvalidSignature, TypeError, *_ODD):
        return False
    return True


def _first(pem: bytes) -> x509.Certificate:
    if not certificates(pem):
        raise Unreadable("there is no certificate in PEM")
    with _readable():
        return x509.load_pem_x509_certificate(pem)


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except Unreadable:
        raise
    except _ODD as error:
        raise Unreadable(str(error)) from error


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, expires: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(expires)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _signed(
    builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey, signer: ec.EllipticCurvePrivateKey
) -> Pair:
    return Pair(
        builder.sign(signer, SHA256()).public_bytes(Encoding.PEM),
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )


def _private_key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    try:
        key = load_pem_private_key(pem, password=None)
    except TypeError as error:
        raise Unreadable("the key is encrypted") from error
    except ValueError as error:
        raise Unreadable("there is no key in PEM") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, _CURVES):
        raise Unreadable("the key is none of an elliptic curve that everybody knows")
    return key


def _bytes(key: object) -> bytes:
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise Unreadable("the key is none of an elliptic curve")
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
