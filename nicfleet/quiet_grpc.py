"""To be imported before grpc, which looks at its variable once, at its own import.

Otherwise a stranger who speaks plaintext to a TLS port makes gRPC's library (1.85) write two lines for each connection:
no JSON, without the peer, as fast as he likes. What matters of a connection we say ourselves.
"""

import os

os.environ.setdefault("GRPC_VERBOSITY", "NONE")
