"""What is replaced before it is written, and what is not, by table. In general: test_no_secret_is_written."""

import base64
import gzip
import hashlib
import json
from typing import Any

import pytest

from cli.must_gather.redaction import CUT, LEFT_OUT, MASK, redact, redact_text
from cli.must_gather.redaction.lines import LONGEST_LINE

# Put together here, so that no scanner of this repository takes them for real.
JWT = "eyJhbGciOiJSUzI1NiIs." + "eyJpc3MiOiJrdWJlcm5ldGVz.c2lnbmF0dXJl"
BEGIN, END = "-----BEGIN RSA PRIVATE " + "KEY-----", "-----END RSA PRIVATE " + "KEY-----"
KEY = f"{BEGIN}\nMIIEowIBAAKCAQEA\nq83vEjRWeJ\n{END}"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


HASH = base64.b64encode(hashlib.sha256(b"x").digest()).decode()
DOCKER = base64.b64encode(json.dumps({"auths": {"nvcr.io": {"auth": "dTpw"}}}).encode()).decode()
HARMLESS = base64.b64encode(b"mode: ib, ports: 2, driver: 24.10").decode()


def packed(text: str) -> str:
    return base64.b64encode(gzip.compress(text.encode())).decode()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("Authorization: Bearer abc.DEF-123456", f"Authorization: {MASK}", id="a-header"),
        pytest.param("sent bearer abcdef1234567 twice", f"sent bearer {MASK} twice", id="a-bearer-token-alone"),
        pytest.param("Basic authentication is off", "Basic authentication is off", id="not-the-word-basic"),
        pytest.param(f"token of kubelet {JWT}, refused", f"token of kubelet {MASK}, refused", id="a-jwt"),
        pytest.param(f"x{JWT}", f"x{MASK}", id="a-jwt-behind-a-letter"),
        pytest.param(f"key\n{KEY}\nend", f"key\n{MASK}\n{MASK}\n{MASK}\n{MASK}\nend", id="a-private-key"),
        pytest.param(f"key {BEGIN} MIIE", f"key {MASK}", id="a-private-key-that-is-cut-off"),
        pytest.param("http://me:pw@proxy:3128/x", f"http://{MASK}@proxy:3128/x", id="a-url"),
        pytest.param("http://me:p@w@proxy:3128", f"http://{MASK}@proxy:3128", id="a-password-with-an-at"),
        pytest.param("http://me:p/w@proxy:3128", f"http://{MASK}@proxy:3128", id="a-password-with-a-slash"),
        pytest.param("http://host:80/a?mail=b@c", "http://host:80/a?mail=b@c", id="an-at-behind-the-host"),
        pytest.param("ftp://a:b@c http://d:e@f", f"ftp://{MASK}@c http://{MASK}@f", id="two-urls"),
        pytest.param("--password=abc -v", f"--password={MASK} -v", id="a-flag"),
        pytest.param('password: "a b" # mine', f"password: {MASK} # mine", id="quoted-in-yaml"),
        pytest.param("password: |\n  abc\n  def\nuser: me", f"password: |\n  {MASK}\nuser: me", id="a-block-in-yaml"),
        pytest.param("password:\n  abc\nuser: me", f"password:\n  {MASK}\nuser: me", id="on-the-line-after-its-name"),
        pytest.param("tokens:\n- a\n- b\nuser: me", f"tokens:\n{MASK}\nuser: me", id="a-list-in-yaml"),
        pytest.param("- name: API_KEY\n  value: abc", f"- name: API_KEY\n  value: {MASK}", id="a-variable-in-yaml"),
        pytest.param("NGC_API_KEY=abc", f"NGC_API_KEY={MASK}", id="a-variable-in-a-shell"),
        pytest.param("secretName: ngc", "secretName: ngc", id="the-name-of-a-secret"),
        pytest.param('secrets "ngc" not found', 'secrets "ngc" not found', id="a-secret-that-is-missing"),
        pytest.param("pull with nvapi-abcdefghijklmnop1", f"pull with {MASK}", id="a-key-of-ngc"),
        pytest.param("join abcde1.0123456789abcdef", f"join {MASK}", id="a-bootstrap-token"),
        pytest.param("password: my dog's name", f"password: {MASK}", id="a-value-with-spaces"),
        pytest.param("token=a b user=me", f"token={MASK}", id="with-spaces-where-a-line-begins"),
        pytest.param("up token=a b user=me", f"up token={MASK} user=me", id="with-spaces-before-another-name"),
        pytest.param("run --token abc -v", f"run --token {MASK} -v", id="a-flag-and-its-value-in-one-string"),
        pytest.param("curl -u me:abc http://h", f"curl -u {MASK} http://h", id="a-user-with-a-password"),
        pytest.param("docker run -u 1000:1000 i", "docker run -u 1000:1000 i", id="a-user-with-a-group"),
        pytest.param("sshpass -p abc ssh h", f"sshpass -p {MASK} ssh h", id="a-password-as-a-short-flag"),
        pytest.param("mkdir -p /run/x", "mkdir -p /run/x", id="another-short-flag"),
        pytest.param("export PASS=abc; ./run", f"export PASS={MASK}", id="exported"),
        pytest.param("--token $(POD_TOKEN)", "--token $(POD_TOKEN)", id="where-a-value-is-to-be-put"),
        pytest.param("GET / Authorization: Token abc", f"GET / Authorization: {MASK}", id="another-scheme"),
        pytest.param("-H 'Cookie: a=b; c=d' http://h", f"-H 'Cookie: {MASK}' http://h", id="a-cookie-in-quotes"),
        pytest.param("map[Pass:abc Up:24.10]", f"map[Pass:{MASK} Up:24.10]", id="as-go-prints-maps"),
        pytest.param("u:abc@tcp(db:3306)/x", f"u:{MASK}@tcp(db:3306)/x", id="the-source-of-a-database"),
        pytest.param("http://h/a?n=1&sig=abc&x=2", f"http://h/a?n=1&sig={MASK}&x=2", id="a-signed-address"),
        pytest.param("key=TOKEN value=abc", f"key=TOKEN value={MASK}", id="a-pair-in-a-line"),
        pytest.param('"token": "abc", "up": "24.10"', f'"token": {MASK}, "up": "24.10"', id="json-that-is-cut-off"),
        pytest.param(
            '"m": "{\\"pw\\":\\"a\\",\\"n\\":1}"', f'"m": "{{\\"pw\\": \\"{MASK}\\", \\"n\\": 1}}"', id="json-in-quotes"
        ),
        pytest.param('x Z {"token": "a"} y', f'x Z {{"token": "{MASK}"}} y', id="json-within-a-line"),
        pytest.param(
            '{"token": "abc", "token": ""}', f'{{"token": {MASK}, "token": ""}}', id="a-name-that-is-there-twice"
        ),
        pytest.param(f"no {BEGIN} in tls.key\nup\nmlx5 up", f"no {MASK} in tls.key\nup\nmlx5 up", id="talk-of-a-key"),
        pytest.param(
            f"{'A1b/' * 16}\nq83v==\n{END} read\nup", f"{MASK}\n{MASK}\n{MASK} read\nup", id="the-rest-of-a-key-alone"
        ),
        pytest.param(f"up\n{BEGIN}\n{'A1b/' * 16}\nmlx5 up", f"up\n{MASK}\n{MASK}\nmlx5 up", id="a-key-without-an-end"),
        pytest.param("error: token: has expired", "error: token: has expired", id="what-is-wrong-with-a-token"),
        pytest.param(
            'volume "token" : secret "ngc" not found',
            'volume "token" : secret "ngc" not found',
            id="that-it-is-missing",
        ),
        pytest.param(
            "up: 1\ntoken: has expired\n", "up: 1\ntoken: has expired\n", id="what-is-wrong-with-a-token-in-yaml"
        ),
        pytest.param("authorization.go:69] ok", "authorization.go:69] ok", id="a-place-in-a-program"),
        pytest.param("image a/b:1@sha256:" + 64 * "a", "image a/b:1@sha256:" + 64 * "a", id="an-image-with-its-digest"),
        pytest.param('{"a": "b", "token": "c"}', json.dumps({"a": "b", "token": MASK}), id="json"),
        pytest.param("a:\n- --token\n- abc # x\n", f"a:\n- --token\n- {MASK} # x\n", id="a-flag-and-its-value-in-yaml"),
        pytest.param("a: [--token, abc, -v]", f"a: [--token, {MASK}, -v]", id="a-flag-and-its-value-in-a-flow-of-yaml"),
        pytest.param("- value: abc\n  name: PW", f"- value: {MASK}\n  name: PW", id="a-value-before-its-name"),
        pytest.param("- name: PW\n  # x\n  value: abc", f"- name: PW\n  # x\n  value: {MASK}", id="a-comment-between"),
        pytest.param(
            "kind: Secret\nstringData:\n  a: abc # x",
            f"kind: Secret\nstringData:\n  a: {MASK} # x",
            id="a-secret-in-yaml",
        ),
        pytest.param(
            "a: 1\n---\nkind: Secret\ndata: {b: YQ}", f"a: 1\n---\nkind: Secret\ndata: {{b: {MASK}}}", id="documents"
        ),
        pytest.param("a: &b x y\ntoken: *b\n", f"a: {MASK}\ntoken: {MASK}\n", id="an-alias-below-a-secret's-name"),
        pytest.param('password: "ab\n  cd"\nup: 1', f"password: {MASK}\nup: 1", id="quotes-over-two-lines"),
        pytest.param(
            "a.yaml: |\n  kind: Secret\n  data:\n    b: YQ\nc: 1\n",
            f"a.yaml: |\n  kind: Secret\n  data:\n    b: {MASK}\nc: 1\n",
            id="yaml-in-yaml",
        ),
        pytest.param(
            "kind: Secret\ndata: {b: YQ}\nkind: Secret",
            f"kind: Secret\ndata: {{b: {MASK}}}\nkind: Secret",
            id="a-name-twice",
        ),
        pytest.param(
            "I1 up\n- --token\n- abc\n- -v", f"I1 up\n- --token\n- {MASK}\n- -v", id="a-flag-and-its-value-in-a-log"
        ),
        pytest.param(
            "I1 up\n- name: PW\n  # x\n  value: abc",
            f"I1 up\n- name: PW\n  # x\n  value: {MASK}",
            id="a-comment-between-in-a-log",
        ),
        pytest.param("password =\n  abc\nup", f"password =\n  {MASK}\nup", id="on-the-line-after-an-equals-sign"),
        pytest.param("me:$apr1$" + "ab$cdefghij", f"me:{MASK}", id="a-hash-of-htpasswd"),
        pytest.param("root:$6$" + "ab$cdefghij:19000:", f"root:{MASK}:19000:", id="a-hash-of-shadow"),
        pytest.param("a " * 40_000, ("a " * 40_000)[:LONGEST_LINE] + CUT, id="a-line-longer-than-anybody-reads"),
        pytest.param("# mine\na: [1]  # x\n", "# mine\na: [1]  # x\n", id="yaml-without-secrets-stays-as-it-is"),
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
            {"name": "http_proxy", "value": "u:p@h:1"}, {"name": "http_proxy", "value": f"u:{MASK}@h:1"}, id="no-scheme"
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
        pytest.param(
            {"secrets": [{"name": "ngc"}]}, {"secrets": [{"name": "ngc"}]}, id="names-of-an-account's-secrets"
        ),
        pytest.param(
            {"secret": {"secretName": "ngc", "items": [{"key": "a", "path": "b"}]}},
            {"secret": {"secretName": "ngc", "items": [{"key": "a", "path": "b"}]}},
            id="a-volume",
        ),
        pytest.param(
            {"credentials": {"user": "a", "more": ["b", {"key": "c"}]}, "on": 1},
            {"credentials": {"user": MASK, "more": [MASK, {"key": MASK}]}, "on": 1},
            id="whatever-is-below-a-secret's-name",
        ),
        pytest.param({"key": "TOKEN", "value": "a"}, {"key": "TOKEN", "value": MASK}, id="a-pair-of-key-and-value"),
        pytest.param(
            {"httpHeaders": [{"name": "X-Any", "value": "a"}]},
            {"httpHeaders": [{"name": "X-Any", "value": MASK}]},
            id="headers-of-a-probe",
        ),
        pytest.param(
            {
                "env": [
                    {"name": "NOTE", "value": "a"},
                    {"name": "LOG_LEVEL", "value": "a"},
                    {"name": "N", "value": "12"},
                ]
            },
            {
                "env": [
                    {"name": "NOTE", "value": LEFT_OUT},
                    {"name": "LOG_LEVEL", "value": "a"},
                    {"name": "N", "value": "12"},
                ]
            },
            id="variables-that-are-known-and-one-that-is-not",
        ),
        pytest.param({"env": ["NOTE=a", "PW=1"]}, {"env": [f"NOTE={LEFT_OUT}", f"PW={MASK}"]}, id="variables-as-texts"),
        pytest.param(
            {"nvconfig": [{"name": "A", "value": "b"}]}, {"nvconfig": [{"name": "A", "value": "b"}]}, id="pairs"
        ),
        pytest.param({"config-hash": HASH}, {"config-hash": HASH}, id="a-hash-that-looks-random"),
        pytest.param({"x": HASH}, {"x": MASK}, id="what-looks-random"),
        pytest.param({"x": packed("a")}, {"x": MASK}, id="what-is-compressed"),
        pytest.param({"x": "a: |\n  " + packed("a" * 9)}, {"x": "a: |\n  " + MASK}, id="what-is-compressed-within"),
        pytest.param({"x": DOCKER}, {"x": MASK}, id="a-docker-config-in-base64"),
        pytest.param({"x": HARMLESS}, {"x": HARMLESS}, id="harmless-text-in-base64"),
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
            {"annotations": {LAST_APPLIED: '{"a": 1}', "b": '{"token": "a"}'}},
            {"annotations": {LAST_APPLIED: LEFT_OUT, "b": json.dumps({"token": MASK})}},
            id="what-was-applied-last",
        ),
        pytest.param(
            {"data": {"tls.key": KEY, "id_rsa": "a", "config.json": '{"resourceName": "b"}'}},
            {"data": {"tls.key": MASK, "id_rsa": MASK, "config.json": '{"resourceName": "b"}'}},
            id="a-config-map",
        ),
        pytest.param({"binaryData": {"a": "AAAA"}}, {"binaryData": {"a": LEFT_OUT}}, id="binary-data"),
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
