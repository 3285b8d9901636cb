"""The status of a policy: one line per state, standard conditions, and their sum."""

from typing import Annotated, Literal

from pydantic import Field, WithJsonSchema

from coordinator.policy.base import Int64, Model

StateName = Literal["ready", "notReady", "ignore", "error"]

Time = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
"""RFC 3339, in UTC and whole seconds, as Kubernetes writes it."""


class AppliedState(Model):
    """The result of one state."""

    name: str = Field(description="Name of the state, for example state-OFED.")
    state: StateName = Field(description="ready, notReady, ignore (not asked for) or error.")
    message: str | None = Field(default=None, description="Why it is not ready, with the nodes or objects concerned.")


class Condition(Model):
    """A standard Kubernetes condition."""

    type: str = Field(
        max_length=316,
        pattern=r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"
        r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$",
        description="What is judged, for example Ready or OFEDDriverReady.",
    )
    status: Literal["True", "False", "Unknown"] = Field(description="True, False or Unknown.")
    reason: str = Field(
        min_length=1,
        max_length=1024,
        pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
        description="One stable CamelCase word for the finding; each has a page in docs/findings.",
    )
    message: str = Field(max_length=32768, description="The finding in a sentence; may be empty.")
    last_transition_time: Time = Field(description="When the status last changed.")
    observed_generation: Int64 | None = Field(
        default=None,
        ge=0,
        description="Generation of the policy that was judged; an older one says nothing about the spec.",
    )


class PolicyStatus(Model):
    """What was observed of a policy."""

    state: StateName = Field(description="ready when every state is ready or ignored; ignore: not served.")
    reason: str | None = Field(default=None, description="Why the policy is not served.")
    applied_states: tuple[AppliedState, ...] | None = Field(default=None, description="Results, state by state.")
    conditions: tuple[Condition, ...] | None = Field(
        default=None,
        description="Ready, Verified, Progressing, Degraded, and one condition per deployed state.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
