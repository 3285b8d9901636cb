"""What looks like a secret is replaced before it is written. Pure.

Two rules. Where something is named for a secret (`password`, the variable `API_KEY`, the flag `--token`), its value
goes. What has the shape of a secret (a private key, a signed token, credentials in a URL) goes wherever it stands. In
doubt it goes: a value too many is asked for again, one too few cannot be taken back.

Every pattern takes time linear in the text, as texts are anybody's.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import Any, Final

MASK: Final = "[REDACTED]"

_SECRET_WORDS: Final = (
    r"passw(?:or)?d|passphrase|pwd|secret|token|credential|authorization|dockerconfigjson|dockercfg|cookie"
    r"|(?:api|private|access|client|signing|encryption|ssh|auth|shared|session|account)[_.-]?key"
)
_SECRET_NAME: Final = re.compile(
    rf"{_SECRET_WORDS}|(?:^|[_.-])auth$|^(?:tls|ssl|ca|server|ssh)\.key$|\.pem$|^id_\w+$", re.IGNORECASE
)
_SECRET_VARIABLE: Final = re.compile(rf"{_SECRET_WORDS}|(?:^|[_.-])(?:keys?|auth|pass)(?:$|[_.-])", re.IGNORECASE)
_NAMES_OF_OBJECTS: Final = re.compile(
    r"(?:names?|refs?|namespace|path|paths|file|policy|kind|type|seconds|audience|ttl|_?dir)$"
    r"|^(?:image_?pull|ufm|pull)_?secrets?$",
    re.IGNORECASE,
)
"""`secretName` and the like say where a secret is, and that is often what is wrong."""
_PROXY: Final = re.compile(r"proxy", re.IGNORECASE)
_FLAG: Final = re.compile(rf"--?[\w.-]{{0,60}}?(?:{_SECRET_WORDS})[\w-]{{0,60}}", re.IGNORECASE)

_PRIVATE_KEY: Final = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY[A-Z ]{0,10}-----")
_PRIVATE_KEY_END: Final = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY[A-Z ]{0,10}-----")
_RUN: Final = re.compile(r"[\w.+/=~-]{16,}")
_TOKEN_STARTS: Final = (
    "eyJ", "nvapi-", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "xoxb-", "xoxp-", "xoxa-",
    "AKIA", "ASIA", "sha256~", "LS0tLS1CRUdJTi",
)  # fmt: skip
"""How tokens begin: signed ones, NVIDIA's registry's, GitHub's, GitLab's, Slack's, AWS's and OpenShift's. The last is
base64 of a PEM block."""
_BOOTSTRAP: Final = re.compile(r"\b[a-z0-9]{6}\.[a-z0-9]{16}\b")
_SCHEME: Final = re.compile(r"\b(bearer|basic)(\s{1,8}|%20)(\S{12,})", re.IGNORECASE)
_URL: Final = re.compile(r"://[^\s\"]+")
_NAMED: Final = re.compile(
    rf"((?:{_SECRET_WORDS}|_key|_auth|_pass)[\w.-]{{0,60}}[\"'\\]{{0,4}}[ \t]{{0,8}}(?::=|[:=])[ \t]{{0,8}})"
    r"([|>][+-]?[ \t]*(?:\n[ \t]+\S[^\n]*)+|\\*\"(?:[^\"\\\n]|\\[^\n])*\"?|'[^'\n]*'?"
    r"|(?:bearer|basic)[ \t]{1,8}[^\s,;]+|[^\s,;]+)",
    re.IGNORECASE,
)
_YAML_ENV: Final = re.compile(
    r"(name:[ \t]{0,8}[\"']?([\w.-]{1,128})[\"']?[ \t]{0,8}\n[ \t]{0,64}value:[ \t]{0,8})([^\n]+)", re.IGNORECASE
)
_KEPT_VALUES: Final = frozenset(
    {"true", "false", "null", "none", "{}", "[]", "{", "[", '""', "''", "|", ">", MASK.lower()}
)
_MARKS: Final = (
    "passw", "passphrase", "pwd", "secret", "token", "credential", "auth", "dockerc", "cookie", "key", "_pass", ".pem",
    "id_", "binarydata", "proxy", "value", "-----begin", "://", "bearer", "basic", "\\u",
    *(start.lower() for start in _TOKEN_STARTS),
)  # fmt: skip
"""A text without any of them is left as it is; most lines of logs are."""


def redact(value: Any, name: str = "") -> Any:
    """The same tree without secrets; `name` is the key that it stands under. Texts of JSON are trees too."""
    if isinstance(value, Mapping):
        return _mapping(value)
    if isinstance(value, list | tuple):
        return _list(value, name)
    if isinstance(value, str):
        return MASK if value and _is_secret(name) else _proxy(name, redact_text(value))
    if isinstance(value, int | float) and not isinstance(value, bool) and _is_secret(name):
        return MASK
    return value


def redact_text(text: str) -> str:
    """A text of any kind: JSON, YAML, a log, a sentence."""
    if not _worth_a_look(text):
        return text
    tree = _tree(text)
    if tree is not None:
        clean = redact(tree)
        return text if clean == tree else json.dumps(clean, ensure_ascii=False)
    return _plain(text)


class LineRedactor:
    """Text that comes line by line: remembers that a private key has begun."""

    def __init__(self) -> None:
        self._in_key = False

    def __call__(self, line: str) -> str:
        if self._in_key:
            end = _PRIVATE_KEY_END.search(line)
            if end is None:
                return MASK
            self._in_key = False
            return MASK + _plain(line[end.end() :])
        if (begin := _PRIVATE_KEY.search(line)) and not _PRIVATE_KEY_END.search(line, begin.end()):
            self._in_key = True
            return _plain(line[: begin.start()]) + MASK
        return redact_text(line)


def _mapping(value: Mapping[str, Any]) -> dict[str, Any]:
    if value.get("kind") == "Secret":
        value = {k: _blank(v) if k in ("data", "stringData") else v for k, v in value.items()}
    named, given = value.get("name"), value.get("value")
    if isinstance(named, str) and isinstance(given, str | int | float) and not isinstance(given, bool) and given != "":
        variable = _SECRET_VARIABLE.search(named) and not _NAMES_OF_OBJECTS.search(named)
        clean = MASK if variable else _proxy(named, redact_text(given)) if isinstance(given, str) else given
        rest = {k: redact(v, k) for k, v in value.items() if k != "value"}
        return {redact_text(k): clean if k == "value" else rest[k] for k in value}
    return {redact_text(k): _left_out(v) if k == "binaryData" else redact(v, k) for k, v in value.items()}


def _list(value: list[Any] | tuple[Any, ...], name: str) -> list[Any]:
    """What follows a flag that is named for a secret is its value."""
    found: list[Any] = []
    for before, each in zip((None, *value), value, strict=False):
        follows = isinstance(before, str) and _FLAG.fullmatch(before) is not None and isinstance(each, str)
        found.append(MASK if follows and not each.startswith("-") else redact(each, name))
    return found


def _blank(value: Any) -> Any:
    return dict.fromkeys(map(redact_text, value), MASK) if isinstance(value, Mapping) else MASK


def _left_out(value: Any) -> Any:
    """Nobody can read what binary data hold."""
    if not isinstance(value, Mapping):
        return MASK
    return {redact_text(k): f"[{len(str(v))} characters of base64 left out]" for k, v in value.items()}


def _is_secret(name: str) -> bool:
    return _SECRET_NAME.search(name) is not None and _NAMES_OF_OBJECTS.search(name) is None


def _proxy(name: str, text: str) -> str:
    """`user:password@host:port`, as a proxy may be given, is no URL."""
    return f"{MASK}@{text.rpartition('@')[2]}" if _PROXY.search(name) and "@" in text and "://" not in text else text


def _worth_a_look(text: str) -> bool:
    small = text.lower()
    return any(mark in small for mark in _MARKS) or _BOOTSTRAP.search(text) is not None


def _tree(text: str) -> Any:
    if not text.lstrip().startswith(("{", "[", '"')):
        return None
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return tree if isinstance(tree, dict | list | str) else None


def _plain(text: str) -> str:
    text = _private_keys(text)
    text = _URL.sub(lambda found: _url(found[0]), text)
    text = _YAML_ENV.sub(_yaml_variable, text)
    text = _NAMED.sub(_named, text)
    text = _SCHEME.sub(_scheme, text)
    text = _BOOTSTRAP.sub(_bootstrap, text)
    return _RUN.sub(lambda found: _run(found[0]), text)


def _private_keys(text: str) -> str:
    """Each to its end; one without an end takes the rest of the text."""
    parts, at = [], 0
    while begin := _PRIVATE_KEY.search(text, at):
        end = _PRIVATE_KEY_END.search(text, begin.end())
        parts += [text[at : begin.start()], MASK]
        at = end.end() if end else len(text)
    return "".join((*parts, text[at:]))


def _url(text: str) -> str:
    """Whatever stands before the @ of an address, also where a password has a slash that should have been encoded."""
    return "://".join(_address(part) for part in text.split("://"))


def _address(text: str) -> str:
    end = min((at for mark in "/?#" if (at := text.find(mark)) >= 0), default=len(text))
    at = text.rfind("@", 0, end)
    if at < 0 and ":" in text[:end] and not text[:end].rpartition(":")[2].isdigit():
        at = text.rfind("@")
    return f"{MASK}{text[at:]}" if at >= 0 else text


def _yaml_variable(found: re.Match[str]) -> str:
    if not _SECRET_VARIABLE.search(found[2]) or _NAMES_OF_OBJECTS.search(found[2]):
        return found[0]
    return f"{found[1]}{MASK}"


def _named(found: re.Match[str]) -> str:
    name = re.split(r"[\"'\\\s:=]", found[1], maxsplit=1)[0]
    if found[2].lower() in _KEPT_VALUES or _NAMES_OF_OBJECTS.search(name):
        return found[0]
    return f"{found[1]}{MASK}"


def _scheme(found: re.Match[str]) -> str:
    """ "Basic authentication" is a sentence; a credential has more than letters, or is long."""
    if found[3].isalpha() and len(found[3]) < 20:
        return found[0]
    return f"{found[1]}{found[2]}{MASK}"


def _bootstrap(found: re.Match[str]) -> str:
    """Of a kubeadm cluster. A name with a dot has no digits on both sides, mostly."""
    halves = found[0].split(".")
    return MASK if all(any(c.isdigit() for c in half) for half in halves) else found[0]


def _run(text: str) -> str:
    """A word from where a token begins in it."""
    starts = [at for start in _TOKEN_STARTS if (at := text.find(start)) >= 0 and _is_token(start, text[at:])]
    return text[: min(starts)] + MASK if starts else text


def _is_token(start: str, text: str) -> bool:
    if start == "eyJ":
        return "." in text and len(text) >= 20
    if start.startswith("LS0"):
        return b"PRIVATE KEY" in _decoded(text)
    return len(text) >= 16


def _decoded(text: str) -> bytes:
    try:
        text = text.rstrip("=")
        return base64.b64decode(text + "=" * (-len(text) % 4))
    except (ValueError, binascii.Error):
        return b"PRIVATE KEY"  # not to be read here, and somebody else might
