"""Predictions, each made once: for a fleet of like machines a change of configuration costs one of each kind."""

from collections.abc import Callable
from datetime import timedelta
from typing import Final, Generic, TypeVar

from coordinator.fleet.plugin_view import PluginView
from coordinator.plugins import rdma_config, sriov_config
from coordinator.plugins.predict import predict
from coordinator.plugins.prediction import NodePrediction
from coordinator.plugins.rdma_config import RdmaConfig
from coordinator.plugins.sriov_config import SriovConfig
from coordinator.policy import InvalidSpec

K = TypeVar("K")
V = TypeVar("V")

_MOST_KEPT: Final = 10_000
_MOST_CONFIGS: Final = 100

_REGISTERING: Final = timedelta(seconds=30)
"""For a plugin to register and the kubelet to write its Node, with time to spare."""

_LONGEST: Final = 3600
"""Seconds of an interval; a longer one is not waited for."""


class Predictions:
    """Remembers what was predicted of like nodes under the same configurations."""

    def __init__(self, most_kept: int = _MOST_KEPT) -> None:
        self._nodes = _Recent[tuple[str | None, str | None, bytes], NodePrediction](most_kept)
        self._rdma = _Recent[str, RdmaConfig | None](_MOST_CONFIGS)
        self._sriov = _Recent[str, SriovConfig | None](_MOST_CONFIGS)

    def of(self, view: PluginView, rdma: str | None, sriov: str | None) -> NodePrediction:
        """What a node gives the plugins whose configurations these texts are; None for one that does not run there.

        A configuration that cannot be used predicts nothing: its state says what is wrong with it.
        """
        return self._nodes.get((rdma, sriov, view.digest), lambda: self._predict(view, rdma, sriov))

    def knows(self, view: PluginView, rdma: str | None, sriov: str | None) -> bool:
        """The next answer costs nothing."""
        return (rdma, sriov, view.digest) in self._nodes

    def grace(self, rdma: str | None) -> timedelta:
        """How long a node may offer less than is predicted before that means anything.

        The RDMA plugin looks at the devices again in an interval of its own; the SR-IOV plugin, only at its start.
        """
        config = None if rdma is None else self._rdma_config(rdma)
        return _REGISTERING + timedelta(seconds=0 if config is None else min(config.interval, _LONGEST))

    def _predict(self, view: PluginView, rdma: str | None, sriov: str | None) -> NodePrediction:
        return predict(
            view.host(),
            None if rdma is None else self._rdma_config(rdma),
            None if sriov is None else self._sriov.get(sriov, lambda: _usable(sriov_config.parse, sriov)),
        )

    def _rdma_config(self, text: str) -> RdmaConfig | None:
        return self._rdma.get(text, lambda: _usable(rdma_config.parse, text))


class _Recent(Generic[K, V]):
    """A memory of at most twice `most` answers; those that nobody asks for any more are forgotten."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._young: dict[K, V] = {}
        self._old: dict[K, V] = {}

    def __contains__(self, key: K) -> bool:
        return key in self._young or key in self._old

    def get(self, key: K, make: Callable[[], V]) -> V:
        if key in self._young:
            return self._young[key]
        value = self._old[key] if key in self._old else make()
        if len(self._young) >= self._most:
            self._old, self._young = self._young, {}
        self._young[key] = value
        return value


def _usable(parse: Callable[[str], V], text: str) -> V | None:
    try:
        return parse(text)
    except InvalidSpec:
        return None
