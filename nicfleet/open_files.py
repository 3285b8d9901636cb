"""How many files and connections a process may have open: RLIMIT_NOFILE of getrlimit(2).

Container runtimes hand on systemd's soft limit of 1,024, for the sake of programs that use select(2). Go's runtime
raises it at its start; Python's does not, and the agents beyond would wait at the door for ever.
"""

import resource


def allow_most() -> int:
    """Raise the soft limit to the hard one; returns it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
