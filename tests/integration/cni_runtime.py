"""A CNI runtime, as multus is one with libcni: runs the plugins of a configuration for a network namespace.

By the CNI specification 0.3.1, "Network Configuration Lists": each plugin of a list gets the list's name and version,
and the result of the one before as prevResult; for DEL the plugins run in the opposite order.
"""

import json
import os
import subprocess
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PLUGINS = Path("/usr/lib/cni")
"""Where Debian's package containernetworking-plugins has them."""

Config = dict[str, Any]


class Netns:
    """A network namespace by its name below /run/netns."""

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def path(self) -> Path:
        return Path("/run/netns") / self.name

    def ip(self, *arguments: str) -> None:
        """Run ip(8) in it."""
        subprocess.run(["ip", "-n", self.name, *arguments], check=True, capture_output=True, text=True)

    def links(self) -> dict[str, Config]:
        """Every link with its details, by name."""
        command = ["ip", "-n", self.name, "-details", "-json", "link"]
        shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return {link["ifname"]: link for link in json.loads(shown)}

    def addresses(self, name: str) -> list[str]:
        """The IPv4 addresses of a link, as CIDRs."""
        command = ["ip", "-n", self.name, "-json", "-4", "address", "show", "dev", name]
        shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return [f"{each['local']}/{each['prefixlen']}" for link in json.loads(shown) for each in link["addr_info"]]


@contextmanager
def netns(purpose: str) -> Iterator[Netns]:
    """One of the test's own, gone with all that is in it."""
    name = f"nicfleet-{purpose}-{uuid.uuid4().hex[:8]}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        yield Netns(name)
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)


@dataclass(frozen=True, slots=True)
class Attachment:
    """One interface of a pod: `host` is where the plugins run, `pod` where the interface comes to be."""

    host: Netns
    pod: Netns
    interface: str
    config: Config

    def add(self) -> Config:
        """The result of the last plugin."""
        result: Config = {}
        for plugin in self._plugins():
            result = self._run("ADD", plugin | ({"prevResult": result} if result else {}))
        return result

    def delete(self) -> None:
        for plugin in reversed(self._plugins()):
            self._run("DEL", plugin)

    def _plugins(self) -> Sequence[Config]:
        head = {key: self.config[key] for key in ("cniVersion", "name")}
        return [plugin | head for plugin in self.config.get("plugins", [self.config])]

    def _run(self, command: str, plugin: Config) -> Config:
        environment = {
            **os.environ,
            "CNI_COMMAND": command,
            "CNI_CONTAINERID": f"pod-{self.pod.name}",
            "CNI_NETNS": str(self.pod.path),
            "CNI_IFNAME": self.interface,
            "CNI_PATH": str(PLUGINS),
        }
        done = subprocess.run(
            ["ip", "netns", "exec", self.host.name, PLUGINS / plugin["type"]],
            input=json.dumps(plugin),
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command} of {plugin['type']}: {done.stdout}{done.stderr}"
        result: Config = json.loads(done.stdout) if done.stdout else {}
        return result
