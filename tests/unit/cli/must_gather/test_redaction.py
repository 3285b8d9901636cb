"""What is replaced before it is written, and what is not: by table, and that no secret survives anywhere."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cli.must_gather.redaction import MASK, LineRedactor, redact, redact_text

# Put together here, so that no scanner of this repository takes them for real.
JWT = "eyJhbGciOiJSUzI1NiIs." + "eyJpc3MiOiJrdWJlcm5ldGVz.c2lnbmF0dXJl"
BEGIN, END = "-----BEGIN RSA PRIVATE " + "KEY-----", "-----END RSA PRIVATE " + "KEY-----"
KEY = f"{BEGIN}\nMIIEowIBAAKCAQEA\nq83vEjRWeJ\n{END}"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("Authorization: Bearer abc.DEF-123456", f"Authorization: {MASK}", id="a-header"),
        pytest.param("sent bearer abcdef1234567 twice", f"sent bearer {MASK} twice", id="a-bearer-token-alone"),
        pytest.param("Basic authentication is off", "Basic authentication is off", id="not-the-word-basic"),
        pytest.param(f"token of kubelet {JWT}, refused", f"token of kubelet {MASK}, refused", id="a-jwt"),
        pytest.param(f"x{JWT}", f"x{MASK}", id="a-jwt-behind-a-letter"),
        pytest.param(f"key\n{KEY}\nend", f"key\n{MASK}\nend", id="a-private-key"),
        pytest.param(f"key {BEGIN} MIIE", f"key {MASK}", id="a-private-key-that-is-cut-off"),
        pytest.param("http://me:pw@proxy:3128/x", f"http://{MASK}@proxy:3128/x", id="a-url"),
        pytest.param("http://me:p@w@proxy:3128", f"http://{MASK}@proxy:3128", id="a-password-with-an-at"),
        pytest.param("http://me:p/w@proxy:3128", f"http://{MASK}@proxy:3128", id="a-password-with-a-slash"),
        pytest.param("http://host:80/a?mail=b@c", "http://host:80/a?mail=b@c", id="an-at-behind-the-host"),
        pytest.param("ftp://a:b@c http://d:e@f", f"ftp://{MASK}@c http://{MASK}@f", id="two-urls"),
        pytest.param("--password=abc -v", f"--password={MASK} -v", id="a-flag"),
        pytest.param('password: "a b" # mine', f"password: {MASK} # mine", id="quoted-in-yaml"),
        pytest.param("password: |\n  abc\n  def\nuser: me", f"password: {MASK}\nuser: me", id="a-block-in-yaml"),
        pytest.param("- name: API_KEY\n  value: abc", f"- name: API_KEY\n  value: {MASK}", id="a-variable-in-yaml"),
        pytest.param("NGC_API_KEY=abc", f"NGC_API_KEY={MASK}", id="a-variable-in-a-shell"),
        pytest.param("secretName: ngc", "secretName: ngc", id="the-name-of-a-secret"),
        pytest.param('secrets "ngc" not found', 'secrets "ngc" not found', id="a-secret-that-is-missing"),
        pytest.param("pull with nvapi-abcdefghijklmnop1", f"pull with {MASK}", id="a-key-of-ngc"),
        pytest.param("join abcde1.0123456789abcdef", f"join {MASK}", id="a-bootstrap-token"),
        pytest.param('{"a": "b", "token": "c"}', json.dumps({"a": "b", "token": MASK}), id="json"),
        pytest.param('{"a" : "b"}', '{"a" : "b"}', id="json-without-secrets-stays-as-it-is"),
        pytest.param("0000:3b:00.0 mlx5_0 up", "0000:3b:00.0 mlx5_0 up", id="a-line-of-a-log"),
        pytest.param("nicfleet.io/desired-hash: 0f3ac1", "nicfleet.io/desired-hash: 0f3ac1", id="a-hash"),
    ],
)
def test_texts(text: str, expected: str) -> None:
    assert redact_text(text) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param({"name": "TOKEN", "value": "a"}, {"name": "TOKEN", "value": MASK}, id="a-variable"),
        pytest.param({"name": "API_KEY", "value": 5}, {"name": "API_KEY", "value": MASK}, id="a-number"),
        pytest.param({"name": "KEYMAP", "value": "de"}, {"name": "KEYMAP", "value": "de"}, id="another-word"),
        pytest.param(
            {"name": "HTTPS_PROXY", "value": "http://u:p@h:1"},
            {"name": "HTTPS_PROXY", "value": f"http://{MASK}@h:1"},
            id="a-proxy-keeps-its-address",
        ),
        pytest.param(
            {"name": "http_proxy", "value": "u:p@h:1"}, {"name": "http_proxy", "value": f"{MASK}@h:1"}, id="no-scheme"
        ),
        pytest.param(
            {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "ngc", "key": "token"}}},
            {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "ngc", "key": "token"}}},
            id="where-a-variable-comes-from",
        ),
        pytest.param({"password": "a", "user": "b"}, {"password": MASK, "user": "b"}, id="a-field"),
        pytest.param({"password": ""}, {"password": ""}, id="an-empty-field-is-worth-knowing"),
        pytest.param({"auths": {"r": {"auth": "dTpw"}}}, {"auths": {"r": {"auth": MASK}}}, id="a-docker-config"),
        pytest.param({"args": ["--token", "a", "-v"]}, {"args": ["--token", MASK, "-v"]}, id="a-flag-and-its-value"),
        pytest.param({"imagePullSecrets": ["ngc"]}, {"imagePullSecrets": ["ngc"]}, id="names-of-pull-secrets"),
        pytest.param({"ufmSecret": "ufm"}, {"ufmSecret": "ufm"}, id="the-name-in-a-policy"),
        pytest.param({"key": "a", "effect": "NoExecute"}, {"key": "a", "effect": "NoExecute"}, id="a-taint"),
        pytest.param({"automountServiceAccountToken": False}, {"automountServiceAccountToken": False}, id="a-switch"),
        pytest.param({"expirationSeconds": 3600}, {"expirationSeconds": 3600}, id="a-time"),
        pytest.param(
            {"kind": "Secret", "type": "Opaque", "data": {"a": "Yg=="}, "stringData": {"c": "d"}},
            {"kind": "Secret", "type": "Opaque", "data": {"a": MASK}, "stringData": {"c": MASK}},
            id="a-secret-that-came-along",
        ),
        pytest.param(
            {"annotations": {LAST_APPLIED: json.dumps({"env": [{"name": "TOKEN", "value": "a"}]})}},
            {"annotations": {LAST_APPLIED: json.dumps({"env": [{"name": "TOKEN", "value": MASK}]})}},
            id="what-was-applied-last",
        ),
        pytest.param(
            {"data": {"tls.key": KEY, "id_rsa": "a", "config.json": '{"resourceName": "b"}'}},
            {"data": {"tls.key": MASK, "id_rsa": MASK, "config.json": '{"resourceName": "b"}'}},
            id="a-config-map",
        ),
        pytest.param(
            {"binaryData": {"a": "AAAA"}}, {"binaryData": {"a": "[4 characters of base64 left out]"}}, id="binary-data"
        ),
        pytest.param(
            {"client-key-data": base64.b64encode(KEY.encode()).decode()}, {"client-key-data": MASK}, id="a-kubeconfig"
        ),
        pytest.param({"x": base64.b64encode(f"{KEY}\n".encode()).decode()}, {"x": MASK}, id="a-key-in-base64-anywhere"),
        pytest.param(
            {"caBundle": base64.b64encode(b"-----BEGIN CERTIFICATE-----\nMII=").decode()},
            {"caBundle": base64.b64encode(b"-----BEGIN CERTIFICATE-----\nMII=").decode()},
            id="a-certificate-is-public",
        ),
    ],
)
def test_objects(value: Any, expected: Any) -> None:
    assert redact(value) == expected


def test_a_private_key_in_a_log_ends_where_it_ends() -> None:
    clean = LineRedactor()
    lines = [f"read {BEGIN}", "MIIEowIBAAKCAQEA", f"{END} done", "next"]
    assert [clean(line) for line in lines] == [f"read {MASK}", MASK, f"{MASK} done", "next"]


names = st.text("abcdefghijklmnopqrstuvwxyz.-/_", max_size=12)
letters = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=24, max_size=40)
secrets = letters.map(lambda text: f"Q{text}")
prose = st.text(st.characters(exclude_characters="Q", codec="utf-8"), max_size=30)

SHAPES: dict[str, Callable[[str, str], Any]] = {
    "variable": lambda secret, _: {"name": "UFM_PASSWORD", "value": secret},
    "key-variable": lambda secret, _: {"name": "NGC_KEY", "value": secret},
    "field": lambda secret, _: {"accessToken": secret},
    "flag": lambda secret, _: ["--registry-password", secret],
    "flag-with-equals": lambda secret, _: [f"--registry-password={secret}"],
    "jwt": lambda secret, text: f"{text} eyJhbGciOi.{secret}.{secret}",
    "jwt-as-key": lambda secret, text: {f"eyJhbGciOi.{secret}.{secret}": text},
    "private-key": lambda secret, text: f"{text}{BEGIN}\n{secret}\n{END}{text}",
    "header": lambda secret, text: f"{text} Authorization: Bearer {secret}",
    "bearer": lambda secret, text: f"{text} bearer {secret}",
    "url": lambda secret, _: f"http://user:{secret}@proxy.example.com:3128",
    "proxy-without-scheme": lambda secret, _: {"name": "HTTP_PROXY", "value": f"user:{secret}@proxy:3128"},
    "secret": lambda secret, _: {"apiVersion": "v1", "kind": "Secret", "data": {"anything": secret}},
    "docker-config": lambda secret, _: {"auths": {"nvcr.io": {"auth": secret}}},
    "yaml": lambda secret, _: yaml.safe_dump({"a": [{"ufm": {"password": secret}}]}),
    "yaml-variable": lambda secret, _: yaml.safe_dump({"env": [{"name": "NGC_TOKEN", "value": secret}]}),
    "base64": lambda secret, _: base64.b64encode(f"{BEGIN}\n{secret}\n{END}\n".encode()).decode(),
}


@st.composite
def hidden(draw: st.DrawFn) -> tuple[str, Any]:
    """A secret, and an object that has it somewhere: below mappings and lists, and in texts of JSON within JSON."""
    secret = draw(secrets)
    value = SHAPES[draw(st.sampled_from(sorted(SHAPES)))](secret, draw(prose))
    for _ in range(draw(st.integers(0, 4))):
        way = draw(st.sampled_from(["mapping", "list", "json", "annotation"]))
        if way == "mapping":
            value = draw(st.dictionaries(names, prose, max_size=3)) | {draw(names): value}
        elif way == "list":
            value = [*draw(st.lists(prose, max_size=2)), value]
        elif way == "json":
            value = {"data": {"config.json": json.dumps(value, indent=draw(st.sampled_from([None, 2])))}}
        else:
            value = {"metadata": {"annotations": {LAST_APPLIED: json.dumps(value)}}}
    return secret, value


@given(hidden())
def test_no_secret_survives_wherever_it_is(case: tuple[str, Any]) -> None:
    secret, value = case
    written = json.dumps(redact(value))
    assert secret not in written
    assert base64.b64encode(secret.encode()).decode()[:16] not in written


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | prose, lambda inner: st.lists(inner) | st.dictionaries(prose, inner)
    )
)
def test_nothing_makes_it_raise_and_twice_is_once(value: Any) -> None:
    once = redact(value)
    assert redact(once) == once


@given(st.lists(st.text(max_size=40), max_size=6))
def test_lines_that_hold_nothing_stay(lines: list[str]) -> None:
    clean = LineRedactor()
    harmless = [f"port {len(line)} up" for line in lines]
    assert [clean(line) for line in harmless] == harmless
