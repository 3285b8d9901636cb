"""How the agent dials a coordinator."""

from dataclasses import dataclass

import grpc

from nicfleet.channel import Tls, open_channel, shown, why_unreachable


@dataclass(frozen=True, slots=True)
class Dialler:
    """Makes channels, each with the authority and the token as they are then."""

    tls: Tls | None
    """None: plaintext."""

    def dial(self, address: str) -> grpc.aio.Channel:
        """To HOST:PORT. Raises NotDialled."""
        return open_channel(address, self.tls)

    def shown(self) -> tuple[tuple[str, str], ...]:
        """Metadata for a call: the token, if there is one to show. Raises NotDialled."""
        return shown(self.tls)

    def why_unreachable(self, details: str) -> str:
        """What gRPC's words on a failed connection mean, and what to do; "" when they speak for themselves."""
        return why_unreachable(details, self.tls)
