"""JSON that a user wrote as text in a field of a policy."""

import json
from typing import Any, NoReturn

from coordinator.policy.invalid import InvalidSpec


def json_object(field: str, text: str) -> dict[str, Any]:
    """The one JSON object that the text is. Raises InvalidSpec with line, column and reason when it is none."""
    value = _parsed(field, text)
    if not isinstance(value, dict):
        raise InvalidSpec(field, "is JSON but not an object", "start it with { and end it with }")
    return value


def json_objects(field: str, text: str) -> list[dict[str, Any]]:
    """The JSON objects of the text, separated by commas, with or without brackets around them. Raises InvalidSpec."""
    bare = not text.lstrip().startswith("[")
    values = _parsed(field, f"[{text}]", before=1) if bare else _parsed(field, text)
    for number, value in enumerate(values, start=1):
        if not isinstance(value, dict):
            raise InvalidSpec(field, f"is JSON, but its item {number} is not an object", "separate objects by commas")
    return list(values)


def _parsed(field: str, text: str, before: int = 0) -> Any:
    """`before` are the characters that we put in front of the user's."""
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
        json.dumps(value, allow_nan=False)  # a number that is too large is read as infinity
    except json.JSONDecodeError as error:
        column = error.colno - before if error.lineno == 1 else error.colno
        raise InvalidSpec(
            field,
            f"is not valid JSON at line {error.lineno}, column {column} ({_why(error)})",
            "correct the text there",
        ) from error
    except (ValueError, RecursionError) as error:
        raise InvalidSpec(field, f"is not valid JSON ({str(error)[:80]})", "correct the text") from error
    return value


def _why(error: json.JSONDecodeError) -> str:
    """Some of its messages end with "at" or "starting at", for a position to follow."""
    return error.msg.removesuffix(" at").removesuffix(" starting")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
