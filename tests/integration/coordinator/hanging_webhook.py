"""A validating admission webhook that takes a question and never answers, for objects with its label."""

import base64
import json
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.controlplane.cluster import ControlPlane
from tests.integration.coordinator.certificates import write_certificate
from tests.integration.system.waiting import eventually

_NAME = "hanging.nicfleet.test"
_MOST_SECONDS = 30
"""The most that a webhook may ask for."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, certificates: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked, self.end = threading.Event(), threading.Event()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates / "tls.crt", certificates / "tls.key")
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def handle_error(self, request: object, client_address: object) -> None:
        """The API server gives up, and breaks the connection: that is expected."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        self.server.asked.set()
        self.server.end.wait()
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
        pass


@contextmanager
def hanging(cluster: ControlPlane, folder: Path, probe: Mapping[str, Any]) -> Iterator[None]:
    """It is asked about objects of the probe's kind that have all of the probe's labels, and when this begins it is in
    force. The probe, a ConfigMap, is sent as a dry run only."""
    write_certificate(folder)
    server = _Server(folder)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        cluster.apply(_configuration(folder, server.server_port, probe["metadata"]["labels"]))
        attempt = ("create", "--dry-run=server", "--request-timeout=1s", "-f", "-")
        eventually(lambda: cluster.kubectl(*attempt, input=json.dumps(probe), check=False) and server.asked.is_set())
        yield
    finally:
        cluster.kubectl("delete", "validatingwebhookconfiguration", "hanging", "--ignore-not-found")
        server.end.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _configuration(folder: Path, port: int, labels: Mapping[str, str]) -> dict[str, Any]:
    bundle = base64.b64encode((folder / "tls.crt").read_bytes()).decode()
    webhook = {
        "name": _NAME,
        "clientConfig": {"url": f"https://127.0.0.1:{port}/", "caBundle": bundle},
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["configmaps"]}],
        "objectSelector": {"matchLabels": dict(labels)},
        "failurePolicy": "Fail",
        "timeoutSeconds": _MOST_SECONDS,
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "hanging"},
        "webhooks": [webhook],
    }
