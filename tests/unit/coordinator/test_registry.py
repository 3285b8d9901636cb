"""Which registry an image's name means, whose credentials are for it, and how it asks for them."""

import base64
import json
from typing import Any

import pytest

from coordinator.registry.challenge import Challenge, challenge_in
from coordinator.registry.credentials import Credentials, UnusableSecret, decode, matching
from coordinator.registry.repository import Repository

PATH = "nvidia/mellanox/doca-driver"


@pytest.mark.parametrize(
    ("name", "host", "path", "bases"),
    [
        pytest.param(f"nvcr.io/{PATH}", "nvcr.io", PATH, ("https://nvcr.io",), id="host"),
        pytest.param("a.example:5000/x", "a.example:5000", "x", ("https://a.example:5000",), id="port"),
        pytest.param("NVCR.io/x", "nvcr.io", "x", ("https://nvcr.io",), id="capitals"),
        pytest.param("mellanox/mofed", "docker.io", "mellanox/mofed", ("https://registry-1.docker.io",), id="no-host"),
        pytest.param("mofed", "docker.io", "library/mofed", ("https://registry-1.docker.io",), id="only-a-name"),
        pytest.param(
            "index.docker.io/mofed", "docker.io", "library/mofed", ("https://registry-1.docker.io",), id="hub"
        ),
        pytest.param("localhost/x", "localhost", "x", ("http://localhost",), id="localhost"),
        pytest.param("127.0.0.1:5000/x", "127.0.0.1:5000", "x", ("http://127.0.0.1:5000",), id="loopback"),
        pytest.param("[::1]:5000/x", "[::1]:5000", "x", ("http://[::1]:5000",), id="loopback-of-ipv6"),
        pytest.param("10.0.0.5/x", "10.0.0.5", "x", ("https://10.0.0.5", "http://10.0.0.5"), id="private"),
        pytest.param(
            "r.local:5000/x", "r.local:5000", "x", ("https://r.local:5000", "http://r.local:5000"), id="local"
        ),
        pytest.param("8.8.8.8/x", "8.8.8.8", "x", ("https://8.8.8.8",), id="public"),
    ],
)
def test_repository(name: str, host: str, path: str, bases: tuple[str, ...]) -> None:
    found = Repository.of(name)
    assert (found.host, found.path, found.bases) == (host, path, bases)


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        pytest.param("nvcr.io", f"nvcr.io/{PATH}", True, id="host"),
        pytest.param("https://nvcr.io", f"nvcr.io/{PATH}", True, id="url"),
        pytest.param("https://nvcr.io/v2/", f"nvcr.io/{PATH}", True, id="url-of-the-api"),
        pytest.param("nvcr.io/nvidia", f"nvcr.io/{PATH}", True, id="start-of-the-path"),
        pytest.param("nvcr.io/v2/nvidia", f"nvcr.io/{PATH}", True, id="path-in-the-api"),
        pytest.param("nvcr.io/other", f"nvcr.io/{PATH}", False, id="another-path"),
        pytest.param("*.example.com", "a.example.com/x", True, id="wildcard"),
        pytest.param("*.example.com", "a.b.example.com/x", False, id="wildcard-is-no-dot"),
        pytest.param("*.com", "example.com.evil.io/x", False, id="wildcard-in-the-wrong-place"),
        pytest.param("a.example:5000", "a.example/x", False, id="port"),
        pytest.param("a.example", "a.example:5000/x", False, id="another-port"),
        pytest.param("https://index.docker.io/v1/", "mellanox/mofed", True, id="hub-as-docker-writes-it"),
        pytest.param("docker.io", "mofed", True, id="hub-as-people-write-it"),
        pytest.param("nvcr.io", "nvcr.io.evil.example/x", False, id="longer-host"),
    ],
)
def test_credentials_are_for_their_registry(pattern: str, name: str, expected: bool) -> None:
    given = Credentials(pattern, "u", "p")
    assert list(matching([given], Repository.of(name))) == ([given] if expected else [])


def secret(kind: str, **data: Any) -> bytes:
    encoded = {
        key.replace("_", "."): base64.b64encode(text if isinstance(text, bytes) else json.dumps(text).encode()).decode()
        for key, text in data.items()
    }
    return json.dumps({"kind": "Secret", "type": kind, "data": encoded}).encode()


CONFIG = "kubernetes.io/dockerconfigjson"
AUTH = base64.b64encode(b"$oauthtoken:key:with:colons").decode()


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        pytest.param(
            secret(CONFIG, _dockerconfigjson={"auths": {"nvcr.io": {"auth": AUTH}}}),
            [("nvcr.io", "$oauthtoken", "key:with:colons")],
            id="auth",
        ),
        pytest.param(
            secret(CONFIG, _dockerconfigjson={"auths": {"nvcr.io": {"username": "u", "password": "p", "email": "e"}}}),
            [("nvcr.io", "u", "p")],
            id="name-and-password",
        ),
        pytest.param(
            secret("kubernetes.io/dockercfg", _dockercfg={"nvcr.io": {"auth": AUTH}}),
            [("nvcr.io", "$oauthtoken", "key:with:colons")],
            id="old-form",
        ),
        pytest.param(
            secret(CONFIG, _dockerconfigjson={"auths": {"nvcr.io": {"auth": AUTH}, "nvcr.io/nvidia": {"auth": AUTH}}}),
            [("nvcr.io/nvidia", "$oauthtoken", "key:with:colons"), ("nvcr.io", "$oauthtoken", "key:with:colons")],
            id="closest-first",
        ),
        pytest.param(secret(CONFIG, _dockerconfigjson={"credsStore": "x"}), [], id="none"),
    ],
)
def test_credentials_in_secrets(raw: bytes, expected: list[tuple[str, str, str]]) -> None:
    assert [(each.pattern, each.username, each.password) for each in decode(raw)] == expected


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        pytest.param(secret("Opaque", password=b"hunter2"), "is of type 'Opaque', not", id="another-type"),
        pytest.param(secret(CONFIG, _dockerconfigjson=b"hunter2"), "is not readable as registry", id="no-json"),
        pytest.param(secret(CONFIG), "is not readable as registry credentials", id="no-data"),
        pytest.param(
            secret(CONFIG, _dockerconfigjson={"auths": {"nvcr.io": {"auth": "\u00fchunter2"}}}),
            "is not readable as registry credentials",
            id="no-base64",
        ),
        pytest.param(secret(CONFIG, _dockerconfigjson={"auths": ["hunter2"]}), "is not readable", id="no-entries"),
    ],
)
def test_secrets_without_credentials_are_told_without_what_is_in_them(raw: bytes, why: str) -> None:
    with pytest.raises(UnusableSecret) as raised:
        decode(raw)
    assert str(raised.value).startswith(why)
    assert raised.value.__cause__ is None
    assert "hunter2" not in str(raised.value)


def test_a_password_is_not_shown() -> None:
    assert "hunter2" not in repr(Credentials("nvcr.io", "me", "hunter2"))


BEARER = {"realm": "https://auth.example/token", "service": "r.example"}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param(['Basic realm="x"'], Challenge("basic", {"realm": "x"}), id="basic"),
        pytest.param(
            ['Bearer realm="https://auth.example/token",service="r.example"'], Challenge("bearer", BEARER), id="bearer"
        ),
        pytest.param(
            ['bearer  realm = "https://auth.example/token" , Service=r.example'],
            Challenge("bearer", BEARER),
            id="blanks-and-no-quotes",
        ),
        pytest.param(["Negotiate", 'Basic realm="x"'], Challenge("basic", {"realm": "x"}), id="several"),
        pytest.param(['Bearer realm="a\\"b,c=d"'], Challenge("bearer", {"realm": 'a"b,c=d'}), id="quoted"),
        pytest.param(["Negotiate"], None, id="unknown"),
        pytest.param([], None, id="none"),
    ],
)
def test_challenge(headers: list[str], expected: Challenge | None) -> None:
    assert challenge_in(headers) == expected


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        pytest.param(
            BEARER,
            "https://auth.example/token?scope=repository%3Aa%2Fb%3Apull&service=r.example",
            id="scope-of-our-own",
        ),
        pytest.param(
            {"realm": "https://auth.example/token?account=x", "scope": "repository:a/b:pull,push"},
            "https://auth.example/token?account=x&scope=repository%3Aa%2Fb%3Apull%2Cpush",
            id="scope-of-the-registrys",
        ),
    ],
)
def test_token_url(parameters: dict[str, str], expected: str) -> None:
    assert Challenge("bearer", parameters).token_url("a/b") == expected
