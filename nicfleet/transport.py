"""gRPC options that both ends must agree on.

A peer that vanished without a word is noticed by keepalive pings; a server drops clients that ping more often than it
allows, so the two figures live side by side. For its keepalive pings gRPC (1.85) waits as long as for any other, a
minute, whatever its keepalive timeout: it is the ping timeout that counts.
"""

from typing import Final

ANSWER_SECONDS: Final = 10.0
"""So long an agent waits for the answer to its Hello."""
GREETING_SECONDS: Final = 9.0
"""So long after the call began the coordinator has answered, whatever it had to wait for."""

LEADER_METADATA: Final = "nicfleet-leader"
"""Key of the trailing metadata in which a coordinator that does not lead has the leader's HOST:PORT."""

MESSAGE_BYTES: Final = 4 << 20
"""Largest message sent or taken. An inventory of 16 PFs with 64 VFs each is 0.3 MB."""

# Of agents and viewers: a coordinator that vanished is noticed about when another one has taken its place.
_PING_MS: Final = 10_000
_PONG_MS: Final = 5_000

# Of the coordinator: an agent that vanished is noticed a little before its heartbeats are missed.
_SERVER_PING_MS: Final = 30_000
_SERVER_PONG_MS: Final = 10_000

_CONNECT_MS: Final = 5_000
"""For one address, TLS and all; gRPC's own 20 s are longer than it takes to find another leader."""

# A name may stand for several coordinators, of which one is gone or no leader: the next channel tries another one.
_ANY_ADDRESS: Final = '{"loadBalancingConfig": [{"pick_first": {"shuffleAddressList": true}}]}'

CHANNEL_OPTIONS: Final[tuple[tuple[str, int | str], ...]] = (
    ("grpc.max_receive_message_length", MESSAGE_BYTES),
    ("grpc.max_send_message_length", MESSAGE_BYTES),
    ("grpc.keepalive_time_ms", _PING_MS),
    ("grpc.keepalive_timeout_ms", _PONG_MS),
    ("grpc.http2.ping_timeout_ms", _PONG_MS),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.min_reconnect_backoff_ms", _CONNECT_MS),
    ("grpc.service_config", _ANY_ADDRESS),
    # A connection of its own for every channel: a new channel then dials at once instead of sharing a back-off.
    ("grpc.use_local_subchannel_pool", 1),
    # It would ask https_proxy even for this machine itself, where kubectl's port-forward listens.
    ("grpc.enable_http_proxy", 0),
)

SERVER_OPTIONS: Final[tuple[tuple[str, int], ...]] = (
    ("grpc.max_receive_message_length", MESSAGE_BYTES),
    ("grpc.max_send_message_length", MESSAGE_BYTES),
    ("grpc.keepalive_time_ms", _SERVER_PING_MS),
    ("grpc.keepalive_timeout_ms", _SERVER_PONG_MS),
    ("grpc.http2.ping_timeout_ms", _SERVER_PONG_MS),
    ("grpc.http2.min_ping_interval_without_data_ms", _PING_MS // 2),
    ("grpc.http2.max_pings_without_data", 0),
    # Two servers on one port would each get half of the connections; the second must fail to bind instead.
    ("grpc.so_reuseport", 0),
)
