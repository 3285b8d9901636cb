"""What is filed of an object, and whether another version of it is news."""

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Entry(Generic[T]):
    """A version of an object. Versions grow over all objects of a kind, also from one under a name to its successor."""

    uid: str
    version: int
    value: T


def newer(new: Entry[T], known: Entry[T] | None, position: int | None) -> bool:
    """Whether an event of the watch, or the answer to a write of ours, says more than what is known.

    `position` is how far the watch has told everything. An object that is not known by then has been deleted: the
    answer to a write may be later than the word of its deletion. None for an event, which is ahead of any position.
    """
    if known is None:
        return position is None or new.version > position
    return new.version > known.version


def differs(new: Entry[T], known: Entry[T] | None) -> bool:
    """Whether a complete list says something else: it counts more than what is known, even if that looks newer.

    A server restored from a copy of its data counts from an older number.
    """
    return known is None or (new.uid, new.version) != (known.uid, known.version)
