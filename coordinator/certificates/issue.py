"""Certificates made and read. Pure but for the keys, which are random."""

import ipaddress
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature
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

AUTHORITY_LIFE: Final = timedelta(days=5 * 365)
SERVER_LIFE: Final = timedelta(days=90)
SKEW: Final = timedelta(hours=1)
"""A certificate is valid so long before it is made: nodes' clocks differ."""


class Unreadable(ValueError):
    """Not a certificate, or not one with its key."""


class Pair(NamedTuple):
    """A certificate and its private key, both in PEM."""

    certificate: bytes
    key: bytes


class Facts(NamedTuple):
    """What a certificate says of itself."""

    made: datetime
    expires: datetime
    names: frozenset[str]
    """Host names and addresses that it is for."""


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
    try:
        read = x509.load_pem_x509_certificate(certificate)
        extension = read.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        names = frozenset(str(name.value) for name in extension.value)
    except x509.ExtensionNotFound:
        names = frozenset()
    except ValueError as error:
        raise Unreadable(str(error)) from error
    return Facts(read.not_valid_before_utc + SKEW, read.not_valid_after_utc, names)


def require_pair(pair: Pair) -> None:
    """Raises Unreadable when the key is not that of the certificate, or one of them is none."""
    try:
        of_certificate = x509.load_pem_x509_certificate(pair.certificate).public_key()
        key = _private_key(pair.key)
    except ValueError as error:
        raise Unreadable(str(error)) from error
    if _bytes(of_certificate) != _bytes(key.public_key()):
        raise Unreadable("the key belongs to another certificate")


def is_signed_by(certificate: bytes, authority: bytes) -> bool:
    """Whether the authority of this certificate signed that one."""
    issuer = x509.load_pem_x509_certificate(authority)
    try:
        x509.load_pem_x509_certificate(certificate).verify_directly_issued_by(issuer)
    except (InvalidSignature, TypeError, ValueError):
        return False
    return True


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
    except TypeError as error:  # it is encrypted
        raise Unreadable(str(error)) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise Unreadable("the key is none of an elliptic curve")
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
