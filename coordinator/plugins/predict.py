"""A node's functions and the plugins' configurations → what each resource gets there, and why one gets nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Final

from coordinator.fleet.plugin_view import DEFAULT_ROUTE, VF, ZERO_GUID, Candidate, Host
from coordinator.plugins.criteria import (
    NONE,
    Criterion,
    not_taken,
    rdma_criteria,
    selects_others_only,
    sriov_criteria,
)
from coordinator.plugins.prediction import Miss, NodePrediction, Overlap, Prediction, Resources, Step
from coordinator.plugins.rdma_config import RdmaConfig
from coordinator.plugins.sriov_config import DeviceType, SriovConfig, SriovResource

_MOST_FOUND: Final = 3


def predict(host: Host, rdma: RdmaConfig | None, sriov: SriovConfig | None) -> NodePrediction:
    """What both plugins make of a node; a plugin that does not run there has no configuration."""
    shared = {} if rdma is None else _rdma(host, rdma)
    dedicated = {} if sriov is None else _sriov(host, sriov)
    return NodePrediction(_counted(shared), _counted(dedicated), tuple(_overlaps(shared, dedicated)))


@dataclass(slots=True)
class _Taken:
    """The functions of one resource on one node."""

    sure: dict[str, Candidate] = field(default_factory=dict)
    """By address."""
    maybe: dict[str, Candidate] = field(default_factory=dict)
    miss: Miss | None = None
    units: int | None = None
    """Whatever the number of functions; None: one each."""

    def prediction(self) -> Prediction:
        functions = len(self.sure)
        units = functions if self.units is None else self.units if functions else 0
        zero = sum(1 for candidate in self.sure.values() if candidate.traits & ZERO_GUID)
        return Prediction(functions, units, len(self.maybe), zero, None if functions else self._miss())

    def _miss(self) -> Miss | None:
        if not self.maybe:
            return self.miss
        if all(candidate.traits & DEFAULT_ROUTE for candidate in self.maybe.values()):
            interfaces = tuple(sorted(candidate.interface for candidate in self.maybe.values()))
            return Miss(Step.DEFAULT_ROUTE, len(self.maybe), found=_few(interfaces))
        return None


_ByResource = dict[str, _Taken | None]


def _rdma(host: Host, config: RdmaConfig) -> _ByResource:
    """Each resource for itself: several may share one function."""
    found: _ByResource = {}
    for resource in config.resources:
        if selects_others_only(resource.vendors):
            found[resource.name] = None
            continue
        criteria = rdma_criteria(resource, shared=host.shared, rdma_cm=host.rdma_cm)
        sure, maybe, miss, _ = _sift(host.candidates, criteria)
        found[resource.name] = _Taken(_by_address(sure), _by_address(maybe), miss, units=resource.units)
    return found


def _sriov(host: Host, config: SriovConfig) -> _ByResource:
    """In order: a function stays with the first resource that takes it."""
    found: _ByResource = {}
    holders: dict[str, tuple[str, bool]] = {}
    for resource in config.resources:
        if not _predictable(resource):
            found[resource.name] = None
        else:
            taken = found[resource.name] = _of_selectors(host, resource, holders)
            for address in taken.maybe:
                holders.setdefault(address, (resource.name, False))
            holders.update((address, (resource.name, True)) for address in taken.sure)
    return found


def _predictable(resource: SriovResource) -> bool:
    """Of accelerators, of sub-functions and of other vendors the agents report nothing."""
    others = all(selects_others_only(selector.vendors) for selector in resource.selectors)
    return resource.device_type is DeviceType.NET_DEVICE and not others


def _of_selectors(host: Host, resource: SriovResource, holders: dict[str, tuple[str, bool]]) -> _Taken:
    """What any of the selectors takes. Of misses the one that came furthest is told."""
    taken, furthest = _Taken(), -1
    for selector in resource.selectors:
        sure, maybe, miss, depth = _sift(host.candidates, [*sriov_criteria(selector), not_taken(holders)])
        taken.sure |= _by_address(sure)
        taken.maybe |= _by_address(maybe)
        if miss is not None and depth > furthest:
            taken.miss, furthest = miss, depth
    taken.maybe = {address: found for address, found in taken.maybe.items() if address not in taken.sure}
    return taken


def _sift(
    candidates: Sequence[Candidate], criteria: Sequence[Criterion]
) -> tuple[Sequence[Candidate], Sequence[Candidate], Miss | None, int]:
    """Those that surely pass every criterion, those that may, and at which of them nothing was left."""
    sure: Sequence[Candidate] = candidates
    maybe: Sequence[Candidate] = ()
    for depth, criterion in enumerate(criteria):
        passed, doubtful = [], []
        for candidate in sure:
            answer = criterion.test(candidate)
            if answer:
                passed.append(candidate)
            elif answer is None:
                doubtful.append(candidate)
        doubtful += [candidate for candidate in maybe if criterion.test(candidate) is not False]
        if not passed and not doubtful:
            return (), (), _miss(criterion, [*sure, *maybe]), depth
        sure, maybe = passed, doubtful
    return sure, maybe, None, len(criteria)


def _miss(criterion: Criterion, left: Sequence[Candidate]) -> Miss:
    # A few values of PFs tell more than those of hundreds of VFs, if they tell anything.
    pfs = {criterion.shown(candidate) for candidate in left if not candidate.traits & VF} - {"", NONE}
    found = pfs or set(map(criterion.shown, left)) - {""}
    return Miss(criterion.step, len(left), criterion.wanted, _few(sorted(found)))


def _few(values: Sequence[str]) -> tuple[str, ...]:
    return (*values[:_MOST_FOUND], "…") if len(values) > _MOST_FOUND else tuple(values)


def _by_address(candidates: Iterable[Candidate]) -> dict[str, Candidate]:
    return {candidate.address: candidate for candidate in candidates}


def _counted(taken: _ByResource) -> Resources:
    return {name: None if found is None else found.prediction() for name, found in taken.items()}


def _overlaps(rdma: _ByResource, sriov: _ByResource) -> Iterable[Overlap]:
    for (shared, ours), (dedicated, theirs) in product(rdma.items(), sriov.items()):
        both = ours.sure.keys() & theirs.sure.keys() if ours is not None and theirs is not None else ()
        if both:
            yield Overlap(shared, dedicated, len(both), min(both))
