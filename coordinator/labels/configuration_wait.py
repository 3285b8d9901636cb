"""The label that tells workloads to wait while NICs are configured (`…operator.nic-configuration.wait`). Pure.

While a policy deploys the NIC configuration operator, its daemon says so on each node, and the label is the daemon's
alone. Without one nobody configures anything, and nothing needs to wait: upstream's rule.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from coordinator.labels.rules import Wait


class Configuration(Enum):
    """Whether a policy deploys the NIC configuration operator. UNKNOWN: there may be one, but it cannot be read yet."""

    ASKED = "asked"
    NOBODY = "nobody"
    UNKNOWN = "unknown"


class ConfigurationPod(Enum):
    """The daemon's pod on a node; it may be there for a while after nobody asks for it. UNKNOWN: nobody has looked."""

    UNKNOWN = "unknown"
    NONE = "none"
    PRESENT = "present"


@dataclass(frozen=True, slots=True)
class ConfigurationInputs:
    """What is known of one node.

    `live`: its agent is connected. `settled`: the agents have had their time to report. `nic` is the NIC label: of the
    live agent's labels, else of the Node.
    """

    live: bool
    settled: bool
    nic: bool
    pod: ConfigurationPod


_WITHOUT_REQUEST: Final = {
    ConfigurationPod.PRESENT: Wait.TRUE,  # it may still be at work
    ConfigurationPod.NONE: Wait.FALSE,
    ConfigurationPod.UNKNOWN: Wait.KEEP,
}


def configuration_wait(configuration: Configuration, node: ConfigurationInputs) -> Wait:
    """The label's value for one node. What is not known moves no label."""
    if configuration is Configuration.ASKED:
        return Wait.LEAVE
    if configuration is Configuration.UNKNOWN or not (node.live or node.settled):
        return Wait.KEEP
    if not node.nic:
        # Without a live agent, a NIC label that is missing proves nothing.
        return Wait.ABSENT if node.live else Wait.KEEP
    return _WITHOUT_REQUEST[node.pod]
