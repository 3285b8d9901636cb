"""What the Secret keeps, and what of it can be used when somebody else was at it."""

import base64
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from coordinator.certificates.issue import AUTHORITY_LIFE, Pair, new_authority
from coordinator.certificates.material import Material, from_secret, to_secret
from coordinator.certificates.renewal import OVERLAP, Situation, renewed

START = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = frozenset({"c.ns.svc"})
Data: TypeAlias = dict[str, str]


def at(after: timedelta, published: bytes = b"") -> Situation:
    return Situation(START + after, NAMES, published)


FIRST = renewed(Material(), at(timedelta()))
NEXT = renewed(FIRST, at(AUTHORITY_LIFE * 0.8))
TAKEN_OVER = renewed(NEXT, at(AUTHORITY_LIFE * 0.8 + OVERLAP, NEXT.bundle))


def data_of(material: Material) -> Data:
    return {key: value for key, value in to_secret(material).items() if value is not None}


def encoded(value: bytes) -> str:
    return base64.b64encode(value).decode()


@pytest.mark.parametrize(
    "material",
    [pytest.param(each, id=name) for name, each in {"first": FIRST, "next": NEXT, "taken-over": TAKEN_OVER}.items()],
)
def test_the_secret_keeps_all_of_it(material: Material) -> None:
    assert from_secret(data_of(material)) == (material, ())
    assert to_secret(material).keys() == to_secret(Material()).keys(), "what is no more is taken away"


def test_an_empty_secret_is_no_trouble() -> None:
    assert from_secret({}) == (Material(), ())


def self_signed(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> Pair:
    """An authority that somebody else made."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "theirs")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, START, START + AUTHORITY_LIFE)
    signed = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(key, SHA256())
    text = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    return Pair(signed.public_bytes(Encoding.PEM), text)


UNKNOWN_CURVE = Pair(
    b"""-----BEGIN CERTIFICATE-----
MIIBRTCCAQKgAwIBAgIUX/Y5SUKvcXDVwuLlUTHUNJ3H2ewwCgYIKoZIzj0EAwIw
ETEPMA0GA1UEAwwGdGhlaXJzMB4XDTI2MTEyNzA5MTAxNVoXDTI2MTIwNzA5MTAx
NVowETEPMA0GA1UEAwwGdGhlaXJzMD4wEAYHKoZIzj0CAQYFK4EEAAgDKgAEU7o6
MYJvMnZPvLSg7x3tRYfuYggnYcvygpx8DUzHlkZ3CvP/+JpyLqNTMFEwHQYDVR0O
BBYEFP8F9sqNS0O9v6lN73ue1dmwAJqrMB8GA1UdIwQYMBaAFP8F9sqNS0O9v6lN
73ue1dmwAJqrMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDMQAwLgIVAOFK
CHyAT8BNc6vo+kEEabyGDXuoAhUAwx0zFALl5KFpBlsSlgF5YGf2RsY=
-----END CERTIFICATE-----
""",
    b"""-----BEGIN EC PRIVATE KEY-----
MFECAQEEFQA5+LGSbajboKs1hzZX5YRNVnLq86AHBgUrgQQACKEsAyoABFO6OjGC
bzJ2T7y0oO8d7UWH7mIIJ2HL8oKcfA1Mx5ZGdwrz//iaci4=
-----END EC PRIVATE KEY-----
""",
)
"""Of secp160r1, which the library that reads it does not know: openssl ecparam -name secp160r1 -genkey, req -x509."""


def put(prefix: str, pair: Pair) -> Callable[[Data], object]:
    return lambda data: data.update({f"{prefix}.crt": encoded(pair.certificate), f"{prefix}.key": encoded(pair.key)})


ENCRYPTED = b"""-----BEGIN EC PRIVATE KEY-----
Proc-Type: 4,ENCRYPTED
DEK-Info: AES-128-CBC,00000000000000000000000000000000

AAAA
-----END EC PRIVATE KEY-----
"""


@pytest.mark.parametrize(
    ("change", "lost", "why"),
    [
        pytest.param(lambda d: d.pop("tls.key"), "server", "tls.key is missing", id="half-a-pair"),
        pytest.param(lambda d: d.update({"tls.crt": "!"}), "server", "tls.crt is not in base64", id="no-base64"),
        pytest.param(lambda d: d.update({"tls.crt": "ä"}), "server", "tls.crt is not in base64", id="no-ascii"),
        pytest.param(lambda d: d.update({"tls.crt": encoded(b"x")}), "server", "no certificate in PEM", id="no-pem"),
        pytest.param(lambda d: d.update({"tls.crt": encoded("ä".encode())}), "server", "no certificate", id="utf-8"),
        pytest.param(lambda d: d.update({"ca.key": d["tls.key"]}), "authority", "another certificate", id="other-key"),
        pytest.param(
            lambda d: d.update({"ca.key": encoded(b"\xff")}), "authority", "there is no key in PEM", id="no-key"
        ),
        pytest.param(
            lambda d: d.update({"ca.key": encoded(ENCRYPTED)}), "authority", "the key is encrypted", id="encrypted"
        ),
        pytest.param(
            lambda d: d.update({"ca.crt": d["tls.crt"], "ca.key": d["tls.key"]}),
            "authority",
            "ca.crt and ca.key cannot be used: the certificate is none of an authority",
            id="no-authority",
        ),
        pytest.param(put("ca", UNKNOWN_CURVE), "authority", "Curve 1.3.132.0.8 is not supported", id="unknown-curve"),
        pytest.param(
            put("ca", self_signed(ec.generate_private_key(ec.SECP256K1()))), "authority", "everybody knows", id="curve"
        ),
        pytest.param(
            put("tls", self_signed(rsa.generate_private_key(65537, 2048))), "server", "elliptic curve", id="rsa"
        ),
        pytest.param(
            lambda d: d.update({"ca-past.crt": "eA=="}), "past", "no certificate in PEM", id="unreadable-past"
        ),
        pytest.param(
            lambda d: d.update({"ca-past.crt": d["tls.crt"]}), "past", "none of an authority", id="past-that-is-none"
        ),
    ],
)
def test_what_cannot_be_used_is_as_if_it_were_not_there_and_told(
    change: Callable[[Data], object], lost: str, why: str
) -> None:
    data = data_of(TAKEN_OVER)
    change(data)
    found = from_secret(data)
    assert found.material == replace(TAKEN_OVER, **{lost: None})
    (sentence,) = found.unusable
    assert why in sentence
    assert "\n" not in sentence
    made = renewed(found.material, at(AUTHORITY_LIFE * 0.8 + OVERLAP, found.material.bundle))
    assert from_secret(data_of(made)) == (made, ())


def test_what_somebody_wrote_beside_a_certificate_is_left_out() -> None:
    data = data_of(FIRST)
    theirs = new_authority(START)
    note = "# für Käthe\n".encode("latin-1")
    data |= {"ca.crt": encoded(note + theirs.certificate + theirs.key), "ca.key": encoded(theirs.key)}
    assert from_secret(data) == (replace(FIRST, authority=theirs), ())
