"""The grammar of label keys, label values and label selectors, as the API server has it. Pure."""

import re
from typing import Final

_NAME: Final = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?"
_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_KEY: Final = rf"(?:(?=[^/]{{1,253}}/){_LABEL}(?:\.{_LABEL})*/)?{_NAME}"
_VALUE: Final = rf"(?:{_NAME})?"
_VALUES: Final = rf"\(\s*{_VALUE}(?:\s*,\s*{_VALUE})*\s*\)"
_REQUIREMENT: Final = (
    rf"\s*(?:!\s*{_KEY}|{_KEY}(?:\s*(?:==|=|!=)\s*{_VALUE}|\s+(?:in|notin)\s*{_VALUES}|\s*[<>]\s*-?[0-9]+)?)\s*"
)

_IS_KEY: Final = re.compile(_KEY)
_IS_VALUE: Final = re.compile(_VALUE)
_IS_SELECTOR: Final = re.compile(rf"\s*|{_REQUIREMENT}(?:,{_REQUIREMENT})*")
_LONGEST_SELECTOR: Final = 10_000


def is_label_key(text: str) -> bool:
    return _IS_KEY.fullmatch(text) is not None


def is_label_value(text: str) -> bool:
    return _IS_VALUE.fullmatch(text) is not None


def is_label_selector(text: str) -> bool:
    """Whether it is a selector as `kubectl get -l` takes it; the empty one selects everything."""
    return len(text) <= _LONGEST_SELECTOR and _IS_SELECTOR.fullmatch(text) is not None
