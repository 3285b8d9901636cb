"""Lookups: what registries say of the driver images that the policies ask for, kept up to date in the background."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from random import Random
from typing import Final

import aiohttp

from coordinator.backoff import Backoff
from coordinator.kube.client import Kube
from coordinator.kube.errors import REFUSALS, KubeError
from coordinator.kube.objects import SECRET, Ref
from coordinator.registry.credentials import Credentials, UnusableSecret, decode
from coordinator.registry.listing import tags_of
from coordinator.states.driver_tags import Away, DriverImage, Known, Pending, Refused, Tags

log = logging.getLogger(__name__)

PATIENCE: Final = 10.0
"""Seconds in which the first answer is tried for before there is said to be none."""

REFUSED_SECONDS: Final = 300.0
"""After a refusal somebody may mend a pull Secret, which is not watched."""

AWAY_SECONDS: Final = 300.0


class Lookups:
    """One look-up per image asked for, repeated every `poll_minutes`; with 0 nothing is looked up.

    `on_change` is called when there is another answer than before.
    """

    def __init__(
        self, kube: Kube, namespace: str, poll_minutes: int, on_change: Callable[[], None], random: Random
    ) -> None:
        self._kube = kube
        self._namespace = namespace
        self._poll_seconds = poll_minutes * 60.0
        self._on_change = on_change
        self._random = random
        self._answers: dict[DriverImage, Tags] = {}
        self._forgotten: set[DriverImage] = set()
        self._asked = asyncio.Event()

    def ask(self, images: Iterable[DriverImage]) -> Mapping[DriverImage, Tags]:
        """What is known of these images. All others are forgotten; new ones are pending, and looked up by `run`."""
        if not self._poll_seconds:
            return {}
        wanted = set(images)
        if wanted != self._answers.keys():
            self._forgotten |= self._answers.keys() - wanted
            self._answers = {image: self._answers.get(image, Pending()) for image in wanted}
            self._asked.set()
        return dict(self._answers)

    async def run(self) -> None:
        """Look up what is asked for, for ever; every failure is waited out."""
        following: dict[DriverImage, asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as group:
            while True:
                await self._asked.wait()
                self._asked.clear()
                for image in following.keys() & self._forgotten:  # perhaps asked for anew since
                    following.pop(image).cancel()
                self._forgotten.clear()
                for image in self._answers.keys() - following.keys():
                    following[image] = group.create_task(self._follow(image))

    async def _follow(self, image: DriverImage) -> None:
        began, backoff = time.monotonic(), Backoff(self._random, AWAY_SECONDS)
        while True:
            answer = await self._look_up(image)
            if not isinstance(answer, Away):
                backoff.reset()
                self._learn(image, answer)
            elif time.monotonic() - began > PATIENCE and not isinstance(self._answers.get(image), Known):
                self._learn(image, answer)  # what a registry has told is not undone by its absence
            match answer:
                case Known():
                    await asyncio.sleep(self._poll_seconds)
                case Refused():
                    await asyncio.sleep(min(self._poll_seconds, REFUSED_SECONDS))
                case Away():
                    await asyncio.sleep(backoff.next())

    def _learn(self, image: DriverImage, answer: Tags) -> None:
        if image not in self._answers or answer == self._answers[image]:
            return
        self._answers[image] = answer
        why = "" if isinstance(answer, Known | Pending) else answer.why
        log.log(
            logging.WARNING if why else logging.INFO,
            "registry asked for driver images",
            extra={"image": image.name, "version": image.version, "found": _count(answer), "why": why},
        )
        self._on_change()

    async def _look_up(self, image: DriverImage) -> Known | Refused | Away:
        try:
            credentials = await self._credentials(image)
            async with aiohttp.ClientSession() as session:
                return await tags_of(session, image.name, f"{image.version}-", credentials)
        except KubeError as error:
            return Away(f"the pull Secrets are not read: {error}")
        except Exception as error:  # of one registry, and nobody else is to suffer for it
            log.exception("registry's answer not understood", extra={"image": image.name})
            return Away(f"its answer is not understood: {type(error).__name__}")

    async def _credentials(self, image: DriverImage) -> list[Credentials]:
        """Of all pull Secrets that can be used. Raises KubeError for what a retry may cure."""
        found: list[Credentials] = []
        for name in image.pull_secrets:
            try:
                found += decode(await self._kube.get(Ref(SECRET.kind, self._namespace, name)))
            except (*REFUSALS, UnusableSecret) as error:
                log.warning("pull Secret not used", extra={"secret": name, "why": str(error)})
        return found


def _count(answer: Tags) -> int:
    return len(answer.found) if isinstance(answer, Known) else 0
