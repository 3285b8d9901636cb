"""Whether this is OpenShift, and what states need of it: the cluster-wide proxy and the driver toolkit's images."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Final

import msgspec

from coordinator.kube.client import Kube, Source
from coordinator.kube.errors import KubeError, NotFound
from coordinator.kube.objects import CLUSTER_VERSION, IMAGE_STREAM, PROXY
from coordinator.kube.reflector import Reflector
from coordinator.states.cluster import OpenShift

log = logging.getLogger(__name__)

RETRY_SECONDS: Final = 2.0

CLUSTER_WIDE: Final = "cluster"
"""Name of the one Proxy that counts."""

TOOLKIT: Final = "driver-toolkit"
TOOLKIT_NAMESPACE: Final = "openshift"


class OpenShiftFacts:
    """What is known of OpenShift. `on_change` hears of every difference."""

    def __init__(self, kube: Kube, use_toolkit: bool, on_change: Callable[[], None], random: Random) -> None:
        self._kube = kube
        self._use_toolkit = use_toolkit
        self._on_change = on_change
        self._is_openshift = False
        self._trouble = "not asked yet"
        self.detected = asyncio.Event()
        """It is known whether this is OpenShift: before that nothing should be decided."""
        # By name: rights to these two objects are all that is asked for.
        proxy = Source(PROXY, field_selector=f"metadata.name={CLUSTER_WIDE}")
        stream = Source(IMAGE_STREAM, TOOLKIT_NAMESPACE, field_selector=f"metadata.name={TOOLKIT}")
        self._proxies = Reflector(kube, proxy, decode_proxy, self._changed, random)
        self._streams = Reflector(kube, stream, decode_toolkits, self._changed, random)

    async def run(self) -> None:
        """Find out, once, and watch for ever what there is to watch. Call it when the API server serves CRDs."""
        self._is_openshift = await self._detected()
        log.info("cluster looked at", extra={"openshift": self._is_openshift})
        self.detected.set()
        self._on_change()
        if self._is_openshift:
            async with asyncio.TaskGroup() as group:
                for reflector in (self._proxies, self._streams):
                    group.create_task(reflector.run())
                    group.create_task(self._tell_first_list(reflector.synced))

    def read(self) -> OpenShift | None:
        """What states see; None on any other Kubernetes."""
        if not self._is_openshift:
            return None
        proxy = self._proxies.get(CLUSTER_WIDE) or ClusterProxy({}, trusted_ca=False)
        return OpenShift(
            proxy=proxy.variables if self._proxies.synced.is_set() else None,
            trusted_ca=proxy.trusted_ca,
            toolkits=self._toolkits() if self._streams.synced.is_set() else None,
            use_toolkit=self._use_toolkit,
        )

    def undetected(self) -> str:
        """Why it is not known whether this is OpenShift; "" when it is."""
        return "" if self.detected.is_set() else self._trouble

    async def _detected(self) -> bool:
        """Whether there is a ClusterVersion. Refusals are waited out: a guess would change every node."""
        while True:
            try:
                async for _ in self._kube.pages(Source(CLUSTER_VERSION, metadata_only=True)):
                    return True
            except NotFound:
                return False
            except KubeError as error:
                if str(error) != self._trouble:
                    self._trouble = str(error)
                    log.warning("waiting to know whether this is OpenShift", extra={"error": self._trouble})
                await asyncio.sleep(RETRY_SECONDS)

    def _toolkits(self) -> Mapping[str, str]:
        return self._streams.get(f"{TOOLKIT_NAMESPACE}/{TOOLKIT}") or {}

    async def _tell_first_list(self, synced: asyncio.Event) -> None:
        """That there is nothing is news too."""
        await synced.wait()
        self._on_change()

    def _changed(self, _: str, old: object | None, new: object | None) -> None:
        if old != new:
            self._on_change()


@dataclass(frozen=True, slots=True)
class ClusterProxy:
    """The cluster-wide proxy: its variables that are set, and whether it has certificates of its own."""

    variables: Mapping[str, str]
    trusted_ca: bool


class _Partial(msgspec.Struct, frozen=True, rename="camel"):
    pass


class _TrustedCa(_Partial, frozen=True):
    name: str = ""


class _ProxySpec(_Partial, frozen=True):
    https_proxy: str = ""
    http_proxy: str = ""
    no_proxy: str = ""
    trusted_ca: _TrustedCa = msgspec.field(default_factory=_TrustedCa, name="trustedCA")


class _Proxy(_Partial, frozen=True):
    spec: _ProxySpec = _ProxySpec()


class _From(_Partial, frozen=True):
    name: str = ""


class _Tag(_Partial, frozen=True):
    name: str
    from_: _From | None = msgspec.field(default=None, name="from")


class _StreamSpec(_Partial, frozen=True):
    tags: tuple[_Tag, ...] | None = None


class _Stream(_Partial, frozen=True):
    spec: _StreamSpec = _StreamSpec()


_decode_proxy = msgspec.json.Decoder(_Proxy).decode
_decode_stream = msgspec.json.Decoder(_Stream).decode


def decode_proxy(raw: bytes | msgspec.Raw) -> ClusterProxy:
    """A Proxy of config.openshift.io/v1."""
    spec = _decode_proxy(raw).spec
    variables = {"HTTPS_PROXY": spec.https_proxy, "HTTP_PROXY": spec.http_proxy, "NO_PROXY": spec.no_proxy}
    return ClusterProxy({name: value for name, value in variables.items() if value}, bool(spec.trusted_ca.name))


def decode_toolkits(raw: bytes | msgspec.Raw) -> Mapping[str, str]:
    """An ImageStream of image.openshift.io/v1: the image of each of its tags, which are RHCOS versions."""
    tags = _decode_stream(raw).spec.tags or ()
    return {tag.name: tag.from_.name for tag in tags if tag.from_ is not None and tag.from_.name}
