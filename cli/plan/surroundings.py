"""What a plan knows of driver images. Pure."""

from collections.abc import Iterable, Mapping
from typing import Final

from coordinator.settings import Settings
from coordinator.states.driver_tags import Away, DriverImage, Tags

NOT_ASKED: Final = "no registry is asked by this command"


def unasked(asked_for: Iterable[DriverImage], settings: Settings) -> Mapping[DriverImage, Tags]:
    """What is known of driver images when no registry is asked: nothing, unless the coordinator asks none either."""
    return {image: Away(NOT_ASKED) for image in asked_for} if settings.driver_image_poll_minutes else {}
