"""How many files and connections a process may have open: RLIMIT_NOFILE of getrlimit(2).

Container runtimes hand on systemd's soft limit of 1,024, for the sake of programs that use select(2). Go's runtime
raises it at its start; Python's does not, and the agents beyond would wait at the door for ever.
"""

import resource
from contextlib import suppress


def allow_most() -> None:
    """Raise the soft limit to the hard one, where the kernel allows that: `fs.nr_open` may be lower by now."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
