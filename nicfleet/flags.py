"""Flags of the two daemons, each also from the environment as `NICFLEET_…`. argparse, as it is light and quick."""

import argparse
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import Final, NoReturn

PREFIX: Final = "NICFLEET_"

LOG_LEVELS: Final = ("debug", "info", "warning", "error")

IN_PLAINTEXT: Final = "they are for TLS, and --insecure is given"
"""Why flags are ignored."""

_YES: Final = frozenset({"true", "t", "1", "yes", "on"})
_NO: Final = frozenset({"false", "f", "0", "no", "off"})
_LOOPBACK: Final = re.compile(r"localhost|127(\.[0-9]{1,3}){3}|\[::1\]")
_HOST_PORT: Final = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s:/\[\]]+):(?P<port>[0-9]{1,5})")


class InvalidSettings(ValueError):
    """A flag or variable that cannot be used; the text is one sentence for the person who set it."""


class Flags:
    """A parser under construction. A flag on the command line wins over its variable, that over the default."""

    def __init__(self, program: str, description: str, environment: Mapping[str, str]) -> None:
        self._parser = _Parser(prog=program, description=description, allow_abbrev=False)
        said = f"{program} {version('nicfleet')}"
        self._parser.add_argument("--version", action="version", version=said, help="show the version and exit")
        self._environment = environment
        self._defaults: dict[str, str] = {}
        self._switches: dict[str, str] = {}

    def option(self, flag: str, default: str, text: str, variable: str = "") -> None:
        """A flag with a value."""
        variable = variable or _variable(flag)
        value = self._environment.get(variable, default)
        self._defaults[flag] = default
        self._parser.add_argument(flag, default=value, help=f"{text} ({variable}; now {value!r})")

    def switch(self, flag: str, text: str) -> None:
        """A flag without a value."""
        variable = _variable(flag)
        self._switches[_name(flag).lower()] = variable
        self._parser.add_argument(flag, action="store_true", help=f"{text} ({variable})")

    def parse(self, arguments: Sequence[str]) -> argparse.Namespace:
        """Raises InvalidSettings. `--help` and `--version` print and exit, as usual."""
        given = self._parser.parse_args(arguments)
        for name, variable in self._switches.items():
            said = self._environment.get(variable, "")
            on = require_yes_or_no(variable, said) if said else False
            setattr(given, name, getattr(given, name) or on)
        return given

    def set_by_hand(self, given: argparse.Namespace, flags: Iterable[str]) -> tuple[str, ...]:
        """Those of these flags, each with a value, that somebody has given another one than the program's own."""
        values = vars(given)
        return tuple(flag for flag in flags if values[_name(flag).lower()] != self._defaults[flag])


def is_host_port(text: str) -> bool:
    """Whether the text is HOST:PORT, an IPv6 host in brackets."""
    match = _HOST_PORT.fullmatch(text)
    return match is not None and int(match["port"]) < 1 << 16


def is_loopback(address: str) -> bool:
    """Whether HOST:PORT is reached from its own machine only."""
    return _LOOPBACK.fullmatch(address.rpartition(":")[0]) is not None


def require_host_port(flag: str, text: str, example: str) -> str:
    """HOST:PORT. Raises InvalidSettings."""
    if not is_host_port(text):
        raise InvalidSettings(f"{flag} is {text!r}: give HOST:PORT, for example {example}")
    return text


def require_one_of(flag: str, text: str, allowed: Sequence[str]) -> str:
    """Raises InvalidSettings."""
    if text not in allowed:
        raise InvalidSettings(f"{flag} is {text!r}: give one of {', '.join(allowed)}")
    return text


def require_yes_or_no(flag: str, text: str) -> bool:
    """In the words that upstream's operator takes too. Raises InvalidSettings."""
    word = text.lower()
    if word not in _YES | _NO:
        raise InvalidSettings(f"{flag} is {text!r}: give true or false")
    return word in _YES


def _variable(flag: str) -> str:
    return PREFIX + _name(flag)


def _name(flag: str) -> str:
    return flag.removeprefix("--").replace("-", "_").upper()


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InvalidSettings(message)
