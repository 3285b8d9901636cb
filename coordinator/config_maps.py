"""ConfigMaps of users that states read: certificates, package repositories, configurations of their own."""

from collections.abc import Callable, Iterable, Mapping
from random import Random

import msgspec

from coordinator.kube.client import Kube, Source
from coordinator.kube.objects import CONFIG_MAP
from coordinator.kube.reflector import Reflector

Data = Mapping[str, str]
"""A ConfigMap's content by key; of a binary value its base64 text."""


class ConfigMaps:
    """The ConfigMaps of the operator's namespace. `on_change` hears of those only that the latest `read` asked for."""

    def __init__(self, kube: Kube, namespace: str, on_change: Callable[[], None], random: Random) -> None:
        self._namespace = namespace
        self._on_change = on_change
        self._in_use: frozenset[str] = frozenset()
        self.reflector: Reflector[Data] = Reflector(
            kube, Source(CONFIG_MAP, namespace), decode_data, self._changed, random
        )
        """Once it is synced, a ConfigMap that is not read does not exist."""

    async def run(self) -> None:
        """Watch for ever."""
        await self.reflector.run()

    def read(self, names: Iterable[str]) -> Mapping[str, Data]:
        """The data of those ConfigMaps that exist, by name."""
        self._in_use = frozenset(names)
        found = {name: self.reflector.get(f"{self._namespace}/{name}") for name in sorted(self._in_use)}
        return {name: data for name, data in found.items() if data is not None}

    def _changed(self, key: str, old: Data | None, new: Data | None) -> None:
        if key.partition("/")[2] in self._in_use and old != new:
            self._on_change()


class _ConfigMap(msgspec.Struct, frozen=True, rename="camel"):
    data: dict[str, str] | None = None
    binary_data: dict[str, str] | None = None


_decode = msgspec.json.Decoder(_ConfigMap).decode


def decode_data(raw: bytes | msgspec.Raw) -> Data:
    """The content of a ConfigMap, as the API server has it."""
    found = _decode(raw)
    return {**(found.data or {}), **(found.binary_data or {})}
