"""What hangs together: once one read hangs, which others are left out with it, and for how long.

A card whose firmware does not answer has hundreds of attributes, and each keeps its reader for a minute. To find them
out one by one would take all day, so that the first one stands for its card.
"""

import re
from dataclasses import dataclass
from typing import Final

from agent.rtnl import needs_rtnl

_FUNCTION: Final = re.compile(r"(sys/devices/(?:.*/)?)([0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2})\.[0-7]/")
_BRIDGE: Final = re.compile(r".*/[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]/")
_RTNL: Final = "RTNL"

_ALONE: Final = frozenset({"vendor", "device", "class", "ibdev", "ifindex", "sriov_numvfs"})
"""The kernel has them in its memory, and without them nobody could say what the card is. `sriov_numvfs` does hang, but
for the lock that is held while VFs are made: the card is well."""


@dataclass(slots=True)
class Hang:
    """A call that hangs or hung, since when and until when (monotonic seconds)."""

    path: str
    began: float
    returned: float | None = None

    def is_over(self, now: float) -> bool:
        """Whether to try again: it has returned, and as much time as it took has passed since."""
        return self.returned is not None and now - self.returned >= self.returned - self.began


def together(path: str) -> tuple[str, ...]:
    """What a read of the file belongs to, the likeliest to be at fault first; all that belongs to one hangs with it.

    `path` is without symbolic links. A card is all that is below one PCI bridge, as a link of PCI Express ends in one
    card: its ports and their VFs are served by one firmware (the kernel makes the PF's parent also that of VFs on other
    buses). On a root bus, as virtual machines have, it is the functions of one device number.
    """
    function = None if path.rpartition("/")[2] in _ALONE else _FUNCTION.match(path)
    if function is None:
        return (path,)
    parent, device = function.groups()
    card = parent if _BRIDGE.fullmatch(parent) else parent + device
    return (_RTNL, card) if needs_rtnl(path) else (card,)
