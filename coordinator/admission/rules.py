"""All that is wrong with one object by itself. Pure.

The rules of a section are its state's own: the same sentence is in the status of a stored object.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from coordinator.objects.served import ServedPolicy
from coordinator.policy import InvalidSpec, NicClusterPolicy, NicNodePolicy
from coordinator.states import STATES, NotYet, State
from coordinator.states.cluster import Cluster, NodePool, OpenShift
from coordinator.states.driver_tags import Known
from coordinator.states.ofed_images import looked_up
from nicfleet.names import DEFAULT_NAMESPACE

LONGEST_NODE_POLICY_NAME: Final = 30
"""Its name is a part of the names of its objects, and a value of their labels."""

# Rules speak of the policy alone, so any cluster will do. One pool, as its driver image has a longer tag.
_CLUSTER: Final = Cluster(
    namespace=DEFAULT_NAMESPACE,
    cni_bin_dir="/opt/cni/bin",
    cni_network_dir="/etc/cni/net.d",
    ofed_init_image=None,
    pools=(NodePool("ubuntu24.04-0000000000", "ubuntu", "24.04", "6.8.0-31-generic", "amd64", ("node",)),),
)


class _AnyTag(frozenset[str]):
    """The tags of a registry that may have whatever is asked for."""

    def __contains__(self, _: object) -> bool:
        return True


def problems(policy: NicClusterPolicy | NicNodePolicy, *, openshift: bool = False) -> tuple[InvalidSpec, ...]:
    """Every mistake of a policy, section by section. On OpenShift driver pods have one more container."""
    served = ServedPolicy.of(policy)
    cluster = made_up_cluster(served, openshift=openshift)
    found = [problem for state in states_of(served) for problem in _refused(state, served, cluster)]
    return _each_once((*name_problems(served), *found))


def name_problems(policy: ServedPolicy) -> Iterator[InvalidSpec]:
    """What is wrong with a policy's name. The one name of a NicClusterPolicy is no rule: others are ignored."""
    name = policy.metadata.name
    if policy.kind == "NicNodePolicy" and len(name) > LONGEST_NODE_POLICY_NAME:
        yield InvalidSpec(
            "metadata.name",
            f"has {len(name)} characters",
            f"create a NicNodePolicy with a name of at most {LONGEST_NODE_POLICY_NAME}",
        )


def states_of(policy: ServedPolicy) -> tuple[State, ...]:
    """The states that a policy of its kind can ask for."""
    return tuple(state for state in STATES if state.per_node or policy.kind == "NicClusterPolicy")


def made_up_cluster(policy: ServedPolicy, *, openshift: bool) -> Cluster:
    """A cluster to hold a policy against when nothing but the policy counts.

    Every ConfigMap and every driver image that the policy names is there: what lacks is for the status to tell.
    """
    named = (name for state in states_of(policy) for name in state.reads(policy.spec, policy.scope))
    driver = looked_up(policy.spec)
    return replace(
        _CLUSTER,
        scope=policy.scope,
        openshift=OpenShift() if openshift else None,
        config_maps={name: {} for name in named},
        driver_tags={driver: Known(_AnyTag())} if driver else {},
    )


def _refused(state: State, policy: ServedPolicy, cluster: Cluster) -> tuple[InvalidSpec, ...]:
    try:
        state.values(policy.spec, cluster)
    except InvalidSpec as problem:
        return problem.each
    except NotYet:
        return ()  # it is about the cluster
    return ()


def _each_once(problems: Iterable[InvalidSpec]) -> tuple[InvalidSpec, ...]:
    """A mistake in spec.global is one for each section that uses it."""
    return tuple({problem.sentence: problem for problem in problems}.values())
