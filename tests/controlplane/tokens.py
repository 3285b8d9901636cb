"""ServiceAccounts' tokens: real ones of pods, and ones that no API server would make, signed with its own key."""

import base64
import json
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.controlplane.cluster import ControlPlane


def pod_token(plane: ControlPlane, namespace: str, account: str, pod: str, audience: str) -> str:
    """As the kubelet asks for one. The pod must exist, on a node."""
    uid = plane.get("pod", pod, f"--namespace={namespace}")["metadata"]["uid"]
    bound = ("--bound-object-kind=Pod", f"--bound-object-name={pod}", f"--bound-object-uid={uid}")
    return account_token(plane, namespace, account, audience, *bound)


def account_token(plane: ControlPlane, namespace: str, account: str, audience: str = "", *flags: str) -> str:
    """As a person asks for one; without an audience for the API server. Valid for an hour."""
    wanted = [f"--audience={audience}"] if audience else []
    return plane.kubectl("create", "token", account, f"--namespace={namespace}", *wanted, *flags).strip()


def claims(token: str) -> dict[str, Any]:
    """What a token says."""
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    return found


def forged(plane: ControlPlane, token: str, changes: dict[str, Any]) -> str:
    """The same token with other claims, each replaced as a whole, and a good signature."""
    header = token.split(".")[0]
    signed = f"{header}.{_encode(json.dumps(claims(token) | changes).encode())}"
    key = serialization.load_pem_private_key(plane.service_account_key.read_bytes(), password=None)
    assert isinstance(key, rsa.RSAPrivateKey)
    signature = key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{signed}.{_encode(signature)}"


def _encode(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).decode().rstrip("=")
