"""PCI Vital Product Data: a list of resources, one of them read-only fields of two-letter keyword, length and text.

PCI Local Bus Specification 3.0, appendix I. Every length is bounded by what was read: malformed data exists.
"""

from collections.abc import Iterator
from typing import Final

from nicfleet.inventory import Board

VPD_LIMIT: Final = 32768
"""The address space of the VPD capability."""

_LARGE: Final = 0x80
_IDENTIFIER: Final = 0x82
_READ_ONLY: Final = 0x90
_END_NAME: Final = 0x0F
_MOST_TEXT: Final = 255


def parse(data: bytes) -> Board | None:
    """The board's identity; None when the data is no VPD or names neither serial, part number nor description."""
    description, fields = None, dict[bytes, str]()
    for tag, content in _resources(data):
        if tag == _IDENTIFIER and description is None:
            description = _text(content)
        elif tag == _READ_ONLY:
            for keyword, value in _fields(content):
                if (text := _text(value)) is not None:
                    fields.setdefault(keyword, text)
    board = Board(serial=fields.get(b"SN"), part_number=fields.get(b"PN"), description=description)
    return None if board == Board() else board


def _resources(data: bytes) -> Iterator[tuple[int, bytes]]:
    position = 0
    while position < len(data):
        tag = data[position]
        if tag & _LARGE:
            start, size = position + 3, int.from_bytes(data[position + 1 : position + 3], "little")
        else:
            if tag >> 3 == _END_NAME:
                return
            start, size = position + 1, tag & 7
        if start + size > len(data):
            return
        yield tag, data[start : start + size]
        position = start + size


def _fields(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = 0
    while position + 3 <= len(content):
        start, size = position + 3, content[position + 2]
        if start + size > len(content):
            return
        yield content[position : position + 2], content[start : start + size]
        position = start + size


def _text(value: bytes) -> str | None:
    """The value without padding; None when nothing or nothing readable is left."""
    try:
        text = value.strip(b" \0\r\n\t").decode("ascii")
    except UnicodeDecodeError:
        return None
    return text[:_MOST_TEXT] if text and text.isprintable() else None
