"""What has the shape of a secret is one wherever it stands: addresses with credentials, tokens, texts in base64."""

import base64
import binascii
import re
from collections.abc import Callable
from itertools import pairwise
from typing import Final, NamedTuple

from cli.must_gather.redaction.mask import MASK
from cli.must_gather.redaction.names import is_secret

Holds = Callable[[str], bool]
"""Whether a text holds a secret."""


class Shape(NamedTuple):
    """One of `marks`, in small letters, is in every text that has it, so that most lines are not searched for it."""

    what: str
    marks: tuple[str, ...]
    pattern: re.Pattern[str]
    replacement: str | Callable[[re.Match[str]], str]


def _without_credentials(found: re.Match[str]) -> str:
    return "://".join(_address(part) for part in found[0].split("://"))


def _address(text: str) -> str:
    """Whatever stands before the @ of an address, also where a password has a slash that should have been encoded."""
    end = min((at for mark in "/?#" if (at := text.find(mark)) >= 0), default=len(text))
    at = _at(text[:end])
    if at < 0 and ":" in text[:end] and not text[:end].rpartition(":")[2].isdigit():
        at = _at(text)
    return f"{MASK}{text[at:]}" if at >= 0 else text


def _at(text: str) -> int:
    """The last @ that is not the one of an image's digest."""
    digest = _DIGEST.search(text)
    return text.rfind("@", 0, digest.start() if digest else len(text))


def _user_and_password(found: re.Match[str]) -> str:
    """`user:password@host` and `user:password@tcp(host)`, which are no URLs; an image's tag and digest are none."""
    word = found[0]
    at, colon = _at(word), word.find(":")
    return f"{word[: colon + 1]}{MASK}{word[at:]}" if 0 <= colon < at and "://" not in word else word


def _scheme(found: re.Match[str]) -> str:
    """ "Basic authentication" is a sentence; a credential has more than letters, or is long."""
    return found[0] if found[3].isalpha() and len(found[3]) < 20 else f"{found[1]}{found[2]}{MASK}"


def _element(found: re.Match[str]) -> str:
    return f"<{found[1]}{MASK}" if is_secret(found[1].rstrip(">")) else found[0]


def _web_token(found: re.Match[str]) -> str:
    """From where one begins, also behind a letter."""
    begin = found[0].find("eyJ")
    token = found[0][begin:] if begin >= 0 else ""
    return f"{found[0][:begin]}{MASK}" if len(token) >= _SHORTEST_WEB_TOKEN and "." in token else found[0]


def _bootstrap(found: re.Match[str]) -> str:
    """Of a kubeadm cluster. A name with a dot has no digits on both sides, mostly."""
    halves = found[0].split(".")
    return MASK if all(any(c.isdigit() for c in half) for half in halves) else found[0]


_SHORTEST_WEB_TOKEN: Final = 20
_DIGEST: Final = re.compile(r"@sha(?:256|512):[0-9a-f]{64,128}\b")
_REST: Final = r"[\w.+/=~-]"
_APART: Final = r"(?<![A-Za-z0-9])"

SHAPES: Final = (
    Shape("credentials in a URL", ("://",), re.compile(r"://[^\s\"]+"), _without_credentials),
    Shape("user:password@host", ("@",), re.compile(r"[^\s\"'<>]++"), _user_and_password),
    Shape("an authentication scheme", ("bearer", "basic", "negotiate"),
          re.compile(r"\b(bearer|basic|negotiate)(\s{1,8}|%20)(\S{12,})", re.IGNORECASE), _scheme),
    Shape("an element of XML", ("</",), re.compile(r"<([\w:.-]++>)[^<]++(?=</)"), _element),
    Shape("a user and a password behind a flag", (" -u",),
          re.compile(r"(?<!\S)(-u[^\s:=-][^\s:]*+:)(?!\d+(?:\s|$))\S+"), rf"\1{MASK}"),
    Shape("a password in quotes, or in a .netrc", ("password", "passphrase", "identified"),
          re.compile(r"\b(login\s+\S+\s+password\s+|(?:password|passphrase|identified\s+by)\s+(?=['\"]))"
                     r"('[^']*'|\"[^\"]*\"|\S+)", re.IGNORECASE), rf"\1{MASK}"),
    Shape("a JSON Web Token", ("eyj",), re.compile(rf"{_REST}{{20,}}+"), _web_token),
    Shape("NVIDIA's and Hugging Face's keys", ("nvapi-", "hf_"),
          re.compile(rf"nvapi-{_REST}{{10,}}|{_APART}hf_{_REST}{{10,}}"), MASK),
    Shape("GitHub's and GitLab's tokens", ("gh", "glpat-", "github_pat_"),
          re.compile(rf"gh[pousr]_{_REST}{{12,}}|github_pat_{_REST}{{5,}}|glpat-{_REST}{{10,}}"), MASK),
    Shape("OpenAI's, Anthropic's and Stripe's keys", ("sk-", "sk_", "rk_"),
          re.compile(rf"{_APART}(?:sk-|[sr]k_(?:live|test)_){_REST}{{12,}}"), MASK),
    Shape("Google's keys and tokens", ("aiza", "ya29."),
          re.compile(rf"AIza{_REST}{{16,}}|{_APART}ya29\.{_REST}{{12,}}"), MASK),
    Shape("AWS's key ids", ("akia", "asia"), re.compile(rf"(?:AKIA|ASIA)[A-Z0-9]{_REST}{{11,}}"), MASK),
    Shape("Slack's tokens", ("xox",), re.compile(rf"xox[abeprs]-{_REST}{{10,}}"), MASK),
    Shape("Docker's, npm's, PyPI's, Vault's and DigitalOcean's", ("dckr_", "npm_", "pypi-", "hvs.", "dop_v1_"),
          re.compile(rf"{_APART}(?:dckr_[op]at_|npm_|pypi-Ag|hvs\.|dop_v1_){_REST}{{16,}}"), MASK),
    Shape("OpenShift's tokens", ("sha256~",), re.compile(rf"sha256~{_REST}{{9,}}"), MASK),
    Shape("hashes of passwords", ("$",),
          re.compile(r"\$(?:[1-7y]|2[abxy]?|apr1|gy|md5|sha\d{1,3}|argon2[a-z]{0,2}|scrypt|pbkdf2[\w-]{0,16}+)\$[\w./=+,$-]{8,}+"),
          MASK),
    Shape("kubeadm's tokens", (".",), re.compile(r"\b[a-z0-9]{6}\.[a-z0-9]{16}\b"), _bootstrap),
)  # fmt: skip
"""In the order in which they are looked for."""

_RUN: Final = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")
_PACKED: Final = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"PK\x03\x04")
"""How gzip, bzip2, xz, zstd and zip begin."""
_RANDOM_FROM: Final = 20
_RANDOM_CHANGES: Final = 0.42
"""Between small letters, capitals and digits, for each character. Random ones have 0.62, names 0.41 at most, such as
those of cards (`Nvidia_mlx5_ConnectX-6_Dx-25`)."""
_LONG: Final = re.compile(r"[A-Za-z0-9+/]{40,}=*")
_LONG_CHANGES: Final = 0.36
"""Of long ones without the marks that names have between their parts; the longer, the fewer are far from 0.62."""
_DEVICE: Final = re.compile(r"v[0-9A-F]{8}d[0-9A-F]{8}")
"""Of a module's alias: hexadecimal digits with letters between them."""


def clean(text: str, holds: Holds) -> str:
    """The text with each of these shapes replaced; `holds` judges what was written in base64."""
    small = text.lower()
    for shape in SHAPES:
        for mark in shape.marks:
            if mark in small:
                text = shape.pattern.sub(shape.replacement, text)
                break
    return _RUN.sub(lambda run: MASK if is_opaque(run[0], holds) else run[0], text)


def is_opaque(run: str, holds: Holds) -> bool:
    """Whether letters and digits are a packed text, one in base64 that holds a secret, or no words at all."""
    inside = _decoded(run)
    if inside.startswith(_PACKED):
        return True
    try:
        text = inside.decode()
    except UnicodeDecodeError:
        return _is_random(run)
    if not text or any(ord(c) < 32 and c not in "\t\n\r" for c in text):
        return _is_random(run)
    return holds(text)


def _decoded(run: str) -> bytes:
    body = run.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(body + "=" * (-len(body) % 4))
    except (ValueError, binascii.Error):
        return b""


def _is_random(run: str) -> bool:
    if len(run) < _RANDOM_FROM or _DEVICE.match(run):
        return False
    kinds = [0 if c.islower() else 1 if c.isupper() else 2 for c in run if c.isalnum()]
    changes = sum(a != b for a, b in pairwise(kinds))
    least = _LONG_CHANGES if _LONG.fullmatch(run) else _RANDOM_CHANGES
    return set(kinds) == {0, 1, 2} and changes >= least * (len(kinds) - 1)
