"""The coordinator's settings, as its own flags and variables give them."""

from collections.abc import Mapping
from typing import Final

from cli.plan.documents import Unusable
from coordinator.settings import Settings, read
from nicfleet.flags import InvalidSettings

_VARIABLES: Final = (
    "CNI_BIN_DIR",
    "CNI_NETWORK_DIR",
    "DOCA_DRIVER_IMAGE_POLL_TIME_MINUTES",
    "NICFLEET_LABELS",
    "NICFLEET_TEMPLATES",
    "OFED_INIT_CONTAINER_IMAGE",
    "POD_NAMESPACE",
    "USE_DTK",
)
"""Those that what is made of a policy depends on. The rest is of the running program."""


def settings(flags: Mapping[str, str | None], environment: Mapping[str, str]) -> Settings:
    """By the coordinator's flags, the variables for those that are not given, and its defaults. Raises Unusable."""
    given = [f"{flag}={value}" for flag, value in flags.items() if value is not None]
    try:
        return read(["--insecure", *given], {name: environment[name] for name in _VARIABLES if name in environment})
    except InvalidSettings as error:
        raise Unusable(str(error)) from error
