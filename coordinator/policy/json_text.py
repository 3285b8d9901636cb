"""JSON that a user wrote as text in a field of a policy."""

import json
from typing import Any, NoReturn

from coordinator.policy.invalid import InvalidSpec


def json_object(field: str, text: str) -> dict[str, Any]:
    """The one JSON object that the text is. Raises InvalidSpec with line, column and reason when it is none."""
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise InvalidSpec(
            field,
            f"is not valid JSON at line {error.lineno}, column {error.colno} ({error.msg})",
            "correct the text there",
        ) from error
    except (ValueError, RecursionError) as error:
        raise InvalidSpec(field, f"is not valid JSON ({str(error)[:80]})", "correct the text") from error
    if not isinstance(value, dict):
        raise InvalidSpec(field, "is JSON but not an object", "start it with { and end it with }")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
