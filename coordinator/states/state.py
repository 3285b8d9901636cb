"""What a state is: one component of a policy, as a value. The work around it (render, apply, judge) exists once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from coordinator.policy import NicClusterPolicySpec
from coordinator.states.cluster import Cluster, Scope

Values = Mapping[str, object]
"""What the templates of one state may use, by name."""


class NotYet(Exception):
    """What a state needs is not known yet and will be; its text is one sentence: what is waited for, or what is amiss.

    What exists of the state stays as it is meanwhile.
    """


@dataclass(frozen=True, slots=True)
class State:
    """One component.

    name       upstream's name, as in `status.appliedStates`
    condition  upstream's condition type; None where upstream has none
    folder     its folder under templates/
    field      path of its section, as `spec.nvIpam`
    per_node   a NicNodePolicy can ask for it too; its objects then carry the label that tells the policies apart
    values     spec and cluster to template values, or None when the policy does not ask for it.
               Raises InvalidSpec for a user's mistake, and NotYet for what has to be known first.
    caveats    spec and cluster to sentences on what is accepted and has no effect, or could not be checked
    reads      spec and scope to the names of the ConfigMaps, in the operator's namespace, that the values depend on
    offers     of a device plugin: spec and cluster to the text of the configuration that says what it offers
    """

    name: str
    condition: str | None
    folder: str
    field: str
    per_node: bool
    values: Callable[[NicClusterPolicySpec, Cluster], Values | None]
    caveats: Callable[[NicClusterPolicySpec, Cluster], tuple[str, ...]] = lambda *_: ()
    reads: Callable[[NicClusterPolicySpec, Scope], tuple[str, ...]] = lambda *_: ()
    offers: Callable[[NicClusterPolicySpec, Cluster], str | None] = lambda *_: None
