"""Objects: what stands where, and under which name."""

import re
from collections.abc import Mapping
from typing import Any, Final

from cli.must_gather.redaction import fields, lines, variables, yaml_text
from cli.must_gather.redaction.mask import LEFT_OUT, MASK
from cli.must_gather.redaction.names import is_secret

_LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
"""It repeats the whole object as somebody wrote it."""


_REFERENCE: Final = frozenset(
    {"name", "secretName", "namespace", "kind", "apiGroup", "key", "path", "items", "mode", "defaultMode", "optional"}
    | {"audience", "expirationSeconds"}
)
"""Fields of what only says where a secret is: a volume, a key of a Secret, a token that the kubelet fetches."""
_NAMING: Final = frozenset({"name", "secretName", "path"})
"""One of them is there."""
_OF_A_HASH: Final = re.compile(r"(?:hash|digest|checksum|fingerprint)$", re.IGNORECASE)
_HASH: Final = re.compile(r"(?:sha\d+[:-])?(?:[0-9a-f]{8,128}|[A-Za-z0-9+/]{43}=)")


def redact(value: Any, name: str = "") -> Any:
    """The same tree without secrets; `name` is the key that it stands under. Texts of JSON and YAML are trees too."""
    if is_secret(name):
        return _under_secret(value)
    if isinstance(value, Mapping):
        return _mapping(value)
    if isinstance(value, list | tuple):
        return _list(value)
    if not isinstance(value, str) or (_OF_A_HASH.search(name) and _HASH.fullmatch(value)):
        return value
    return redact_text(value)


def redact_text(text: str) -> str:
    """A text of any kind: JSON, YAML, a log, a sentence."""
    tree = _tree(text)
    if tree is not None:
        return lines.rewritten(text, tree, redact)
    return lines.clean(yaml_text.masked(text, redact) if yaml_text.may_be(text) else text, redact)


def _tree(text: str) -> Any:
    bare = text.strip()
    if not bare.startswith(("{", "[", '"')):
        return None
    try:
        tree, end = lines.parsed(bare)
    except (ValueError, RecursionError):
        return None
    return tree if end == len(bare) and isinstance(tree, dict | list | str) else None


def _mapping(value: Mapping[str, Any]) -> dict[str, Any]:
    if value.get("kind") == "Secret":
        value = {k: _masked(v) if k in ("data", "stringData") else v for k, v in value.items()}
    names = (value.get(k) for k in ("name", "key", "Name", "Key"))
    secret = any(isinstance(name, str) and is_secret(name) for name in names)
    return {
        redact_text(k): _under_secret(v) if secret and k in ("value", "Value", "values") else _field(k, v)
        for k, v in value.items()
    }


def _field(name: str, value: Any) -> Any:
    if name == "env":
        return _variables(value)
    if name == "httpHeaders" and isinstance(value, list):
        return [{**_mapping(each), "value": MASK} if isinstance(each, Mapping) else MASK for each in value]
    if name == _LAST_APPLIED:
        return LEFT_OUT
    if name == "binaryData" and isinstance(value, Mapping):
        return {redact_text(k): LEFT_OUT for k in value}  # nobody can read it
    return redact(value, name)


def _variables(value: Any) -> Any:
    """Of a container, as Kubernetes writes them or others do: values of those that nobody knows stay where they are."""
    if isinstance(value, Mapping):
        return {redact_text(k): _variable(k, v) for k, v in value.items()}
    return [_of_container(each) for each in value] if isinstance(value, list | tuple) else redact(value)


def _of_container(variable: Any) -> Any:
    if isinstance(variable, Mapping) and "value" in variable:
        rest = _mapping({k: v for k, v in variable.items() if k != "value"})
        return {**rest, "value": _variable(str(variable.get("name", "")), variable["value"])}
    if isinstance(variable, str) and "=" in variable:
        name, _, given = variable.partition("=")
        return f"{redact_text(name)}={_variable(name, given)}"
    return redact(variable)


def _variable(name: str, value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if is_secret(name):
        return _under_secret(value)
    told = isinstance(value, str | int | float) and variables.is_told(name, str(value))
    return redact(value) if told else LEFT_OUT


def _list(value: list[Any] | tuple[Any, ...]) -> list[Any]:
    """What follows a flag that is named for a secret is its value."""
    found: list[Any] = []
    for before, each in zip((None, *value), value, strict=False):
        follows = isinstance(before, str) and isinstance(each, str) and not each.startswith("-")
        found.append(MASK if follows and fields.flag_takes_secret(before, each) else redact(each))
    return found


def _under_secret(value: Any) -> Any:
    """Whatever is below the name of a secret, unless it only says where the secret is."""
    if isinstance(value, list | tuple):
        return [_under_secret(each) for each in value]
    if isinstance(value, Mapping) and _REFERENCE.issuperset(value) and not value.keys().isdisjoint(_NAMING):
        return _mapping(value)
    return _masked(value)


def _masked(value: Any) -> Any:
    """That there is nothing is worth knowing, and so is a switch."""
    if isinstance(value, Mapping):
        return {redact_text(k): _masked(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(each) for each in value]
    return value if value is None or isinstance(value, bool) or value in ("", LEFT_OUT) else MASK
