"""Who speaks for a node, and which of two that claim it is believed at once. Pure."""

from dataclasses import dataclass
from datetime import datetime

from nicfleet.inventory import NodeName


@dataclass(frozen=True, slots=True)
class Identity:
    """What an agent says of itself in its Hello. `boot_id` is empty when the agent could not read it."""

    node: NodeName
    instance_id: str
    boot_id: str
    started: datetime
    agent_version: str

    def supersedes(self, other: "Identity") -> bool:
        """The same agent on a new connection: the other stream is dead for sure.

        Another boot id is no such proof: the agent of another machine that was given this node's name has one too.
        """
        return self.instance_id == other.instance_id
