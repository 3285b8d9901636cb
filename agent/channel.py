"""How the agent dials a coordinator."""

from dataclasses import dataclass

import grpc

from nicfleet.channel import Tls, open_channel, why_unreachable


@dataclass(frozen=True, slots=True)
class Dialler:
    """Makes channels, each with the authority and the token as they are then."""

    tls: Tls | None
    """None: plaintext."""

    def dial(self, address: str) -> grpc.aio.Channel:
        """To HOST:PORT. Raises NotDialled."""
        return open_channel(address, self.tls)

    def why_unreachable(self, details: str) -> str:
        """What gRPC's words on a failed connection mean, and what to do; "" when they speak for themselves."""
        return why_unreachable(details, self.tls)
