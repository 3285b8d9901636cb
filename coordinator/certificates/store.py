"""The Secret that keeps what is ours, and the ConfigMap that tells agents whom to trust. Both are there, if empty."""

import logging
from dataclasses import dataclass
from typing import Final

from coordinator.certificates.material import Material, from_secret, to_secret
from coordinator.kube.answers import object_in
from coordinator.kube.client import Kube
from coordinator.kube.errors import NotFound
from coordinator.kube.objects import CONFIG_MAP, SECRET, Obj, Ref
from nicfleet.names import CERTIFICATES_MANAGER

log = logging.getLogger(__name__)

KEY: Final = "ca.crt"
"""In the ConfigMap; as kube-root-ca.crt has it."""


class ObjectMissing(RuntimeError):
    """Secret or ConfigMap is not there; the sentence says how to make it."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What the Secret has, and which edition of it that is."""

    material: Material
    unusable: tuple[str, ...]
    """Why the rest of it is not in the material."""
    version: str


@dataclass(frozen=True, slots=True)
class Published:
    """What the ConfigMap has, and which edition of it that is."""

    authorities: bytes
    version: str


class Publication:
    """The ConfigMap."""

    def __init__(self, kube: Kube, namespace: str, name: str) -> None:
        self._kube = kube
        self._ref = Ref(CONFIG_MAP.kind, namespace, name)

    async def read(self) -> Published:
        """Raises KubeError and ObjectMissing."""
        found = await _read(self._kube, self._ref)
        return Published((found.get("data") or {}).get(KEY, "").encode(), _version(found))

    async def publish(self, authorities: bytes, published: Published) -> None:
        """Write it, unless that is what is published. Raises KubeError; Conflict when that is not the newest."""
        if authorities == published.authorities:
            return
        await _write(self._kube, self._ref, {"data": {KEY: authorities.decode()}}, published.version)
        log.info("authority published", extra={"config_map": str(self._ref)})


class Store:
    """The Secret."""

    def __init__(self, kube: Kube, namespace: str, name: str) -> None:
        self._kube = kube
        self._ref = Ref(SECRET.kind, namespace, name)

    async def read(self) -> Kept:
        """Raises KubeError and ObjectMissing."""
        found = await _read(self._kube, self._ref)
        return Kept(*from_secret(found.get("data") or {}), _version(found))

    async def keep(self, material: Material, kept: Kept) -> None:
        """Write it in the place of what is kept. Raises KubeError; Conflict when that is not the newest."""
        await _write(self._kube, self._ref, {"data": to_secret(material)}, kept.version)


async def _read(kube: Kube, ref: Ref) -> Obj:
    try:
        return object_in(await kube.get(ref), ref)
    except NotFound as error:
        kind = "secret generic" if ref.kind == SECRET.kind else "configmap"
        raise ObjectMissing(
            f"{ref} is not there, which the coordinator fills but does not make: "
            f"kubectl create {kind} {ref.name} -n {ref.namespace}, after kubectl create namespace {ref.namespace} "
            "where that is missing too; or give --namespace"
        ) from error


def _version(found: Obj) -> str:
    version: str = found["metadata"]["resourceVersion"]
    return version


async def _write(kube: Kube, ref: Ref, patch: Obj, version: str) -> None:
    await kube.merge_patch(ref, {**patch, "metadata": {"resourceVersion": version}}, manager=CERTIFICATES_MANAGER)
