"""Where pods may run: Kubernetes' own tolerations and node affinity, as a policy carries them."""

from pydantic import ConfigDict, Field

from coordinator.policy.base import AtomicTuple, Int32, Int64, Model

ATOMIC_MAP = ConfigDict(json_schema_extra={"x-kubernetes-map-type": "atomic"})


class Toleration(Model):
    """A node taint that pods accept."""

    key: str | None = Field(
        default=None, description="Taint key to tolerate; empty with operator Exists means every key."
    )
    operator: str | None = Field(
        default=None, description="Exists, or Equal (the default), which also compares the value."
    )
    value: str | None = Field(default=None, description="Taint value to tolerate when the operator is Equal.")
    effect: str | None = Field(
        default=None,
        description="Taint effect to tolerate: NoSchedule, PreferNoSchedule or NoExecute; empty means all.",
    )
    toleration_seconds: Int64 | None = Field(
        default=None, description="Seconds a pod stays after a NoExecute taint appears; unset means for ever."
    )


class NodeSelectorRequirement(Model):
    """One comparison with a node's labels or fields."""

    key: str = Field(description="Label key, or field name, that is compared.")
    operator: str = Field(description="In, NotIn, Exists, DoesNotExist, Gt or Lt.")
    values: AtomicTuple[str] | None = Field(
        default=None, description="Values to compare with: one or more for In and NotIn, one for Gt and Lt, else none."
    )


class NodeSelectorTerm(Model):
    """Comparisons that must all hold; a term without any matches no node."""

    model_config = ATOMIC_MAP

    match_expressions: AtomicTuple[NodeSelectorRequirement] | None = Field(
        default=None, description="Comparisons with the node's labels."
    )
    match_fields: AtomicTuple[NodeSelectorRequirement] | None = Field(
        default=None, description="Comparisons with the node's fields; Kubernetes knows metadata.name."
    )


class NodeSelector(Model):
    """Terms of which at least one must hold."""

    model_config = ATOMIC_MAP

    node_selector_terms: AtomicTuple[NodeSelectorTerm] = Field(
        description="Alternatives: a node matches when one term matches."
    )


class PreferredSchedulingTerm(Model):
    """A preference with its weight."""

    weight: Int32 = Field(description="Weight of this preference, 1 to 100; the weights of all that hold are added.")
    preference: NodeSelectorTerm = Field(description="Node term that is preferred.")


class NodeAffinity(Model):
    """Which nodes pods need, and which they prefer."""

    required_during_scheduling_ignored_during_execution: NodeSelector | None = Field(
        default=None, description="Nodes a pod needs; a node that does not match gets none."
    )
    preferred_during_scheduling_ignored_during_execution: AtomicTuple[PreferredSchedulingTerm] | None = Field(
        default=None, description="Nodes a pod prefers among those it may run on."
    )
