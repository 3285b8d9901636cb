"""What stands in the place of what was taken out."""

from typing import Final

MASK: Final = "[REDACTED]"
"""Of what looks like a secret."""

LEFT_OUT: Final = "[LEFT OUT]"
"""Of what nobody knows enough about to keep."""

CUT: Final = " [the rest of this line is left out]"
"""Where a line is longer than anybody reads."""
