"""Fixed tokens for the control plane's own users, and kubeconfigs."""

import json
from pathlib import Path

from tests.controlplane.components import USERS, Site


def write_credentials(site: Site) -> None:
    """Write the API server's token file and one kubeconfig for each user."""
    rows = [f"{site.tokens[user]},{user},{user},{group}\n" for user, group in USERS.items()]
    site.token_file.write_text("".join(rows))
    for user in USERS:
        write_kubeconfig(site, user, site.tokens[user])


def write_kubeconfig(site: Site, user: str, token: str, namespace: str = "default") -> Path:
    """Write the kubeconfig of a user who has a token, and return its path."""
    name = "nicfleet-test"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{"name": name, "cluster": {"server": site.url, "certificate-authority": str(site.ca)}}],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": user, "namespace": namespace}}],
    }
    path = site.kubeconfig(user)
    path.write_text(json.dumps(content, indent=2))  # JSON is YAML
    return path
