"""The configurations that networks make, run through the real CNI plugins of Debian, on the real kernel.

What multus adds at run time, the test adds: the device of a host-device network. IPoIB needs InfiniBand hardware.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from coordinator.networks.definition import definition
from coordinator.policy.networks import Network
from tests.integration.cni_runtime import PLUGINS, Attachment, Config, Netns, netns
from tests.unit.coordinator.networks.documents import host_device, macvlan

MASTER, PEER, INTERFACE = "ens1f0np0", "switch", "net1"
STATIC = json.dumps({"type": "static", "addresses": [{"address": "10.10.0.7/24"}]})
NEEDED = ("host-device", "host-local", "macvlan", "static", "tuning")

Attach = Callable[[Config], Attachment]


@pytest.fixture(scope="module", autouse=True)
def runnable() -> None:
    if os.geteuid() != 0:
        pytest.skip("making a network namespace needs root")
    if shutil.which("ip") is None:
        pytest.skip("ip(8) is not installed: apt-get install iproute2")
    if missing := [name for name in NEEDED if not (PLUGINS / name).is_file()]:
        pytest.skip(f"no {', '.join(missing)} in {PLUGINS}: apt-get install containernetworking-plugins")


@pytest.fixture
def host() -> Iterator[Netns]:
    """A node with one port, which has the default route."""
    with netns("host") as found:
        found.ip("link", "add", MASTER, "mtu", "4000", "type", "veth", "peer", "name", PEER, "mtu", "4000")
        for name in (MASTER, PEER, "lo"):
            found.ip("link", "set", name, "up")
        found.ip("address", "add", "192.0.2.1/24", "dev", MASTER)
        found.ip("route", "add", "default", "via", "192.0.2.254")
        yield found


@pytest.fixture
def pod() -> Iterator[Netns]:
    with netns("pod") as found:
        yield found


@pytest.fixture
def attach(host: Netns, pod: Netns) -> Attach:
    return partial(Attachment, host, pod, INTERFACE)


def config_of(network: Network) -> Config:
    config: Config = json.loads(definition(network)["spec"]["config"])
    return config


def host_local(folder: Path) -> str:
    return json.dumps({"type": "host-local", "subnet": "10.20.0.0/24", "dataDir": str(folder)})


@pytest.mark.parametrize("mode", ["bridge", "private", "vepa", "passthru"])
def test_macvlan_has_mode_mtu_and_address(host: Netns, pod: Netns, attach: Attach, mode: str) -> None:
    network = attach(config_of(macvlan(master=MASTER, mode=mode, mtu=1400, ipam=STATIC)))
    before = host.links().keys()

    result = network.add()

    link = pod.links()[INTERFACE]
    assert link["linkinfo"]["info_kind"] == "macvlan"
    assert link["linkinfo"]["info_data"]["mode"] == mode
    assert link["mtu"] == 1400
    assert link["link_index"] == host.links()[MASTER]["ifindex"]
    assert pod.addresses(INTERFACE) == ["10.10.0.7/24"]
    assert result["ips"][0]["address"] == "10.10.0.7/24"

    network.delete()
    assert INTERFACE not in pod.links()
    assert host.links().keys() == before >= {"lo", MASTER, PEER}


def test_macvlan_without_fields_has_the_plugins_own_defaults(host: Netns, pod: Netns, attach: Attach) -> None:
    """The interface with the default route, bridge mode, the MTU of the master, no address."""
    network = attach(config_of(macvlan()))

    network.add()

    link = pod.links()[INTERFACE]
    assert link["linkinfo"]["info_data"]["mode"] == "bridge"
    assert link["link_index"] == host.links()[MASTER]["ifindex"]
    assert link["mtu"] == 4000
    assert pod.addresses(INTERFACE) == []

    network.delete()
    assert INTERFACE not in pod.links()


def test_macvlan_with_host_local_gets_an_address_and_gives_it_back(pod: Netns, attach: Attach, tmp_path: Path) -> None:
    network = attach(config_of(macvlan(master=MASTER, ipam=host_local(tmp_path))))

    network.add()

    (address,) = pod.addresses(INTERFACE)
    assert address.startswith("10.20.0.")
    assert address.endswith("/24")
    reserved = tmp_path / "net" / address.partition("/")[0]
    assert reserved.exists()

    network.delete()
    assert INTERFACE not in pod.links()
    assert not reserved.exists()


def test_a_meta_plugin_runs_after_macvlan(pod: Netns, attach: Attach, tmp_path: Path) -> None:
    tuning = {
        "type": "tuning",
        "mtu": 1300,
        "sysctl": {f"net.ipv4.conf.{INTERFACE}.arp_filter": "1"},
        "dataDir": str(tmp_path),
    }
    network = attach(config_of(macvlan(master=MASTER, mtu=1400, ipam=STATIC, metaPlugins=json.dumps(tuning))))

    result = network.add()

    assert pod.links()[INTERFACE]["mtu"] == 1300
    assert pod.addresses(INTERFACE) == ["10.10.0.7/24"]
    assert result["ips"][0]["address"] == "10.10.0.7/24"
    assert sysctl(pod, f"net/ipv4/conf/{INTERFACE}/arp_filter") == "1"

    network.delete()
    assert INTERFACE not in pod.links()


@pytest.mark.parametrize("chained", [False, True], ids=["alone", "with-a-meta-plugin"])
@pytest.mark.parametrize("ipam", ["static", "host-local"])
def test_host_device_moves_the_device_and_brings_it_back(
    host: Netns, pod: Netns, attach: Attach, tmp_path: Path, ipam: str, chained: bool
) -> None:
    meta = json.dumps({"type": "tuning", "mtu": 1300, "dataDir": str(tmp_path)}) if chained else ""
    text = STATIC if ipam == "static" else host_local(tmp_path)
    network = attach(with_device(config_of(host_device(ipam=text, metaPlugins=meta)), MASTER))
    mac = host.links()[MASTER]["address"]

    network.add()

    assert MASTER not in host.links()
    assert pod.links()[INTERFACE]["address"] == mac
    assert pod.links()[INTERFACE]["mtu"] == (1300 if chained else 4000)
    (address,) = pod.addresses(INTERFACE)
    assert address.startswith("10.10.0.7/" if ipam == "static" else "10.20.0.")

    network.delete()
    assert INTERFACE not in pod.links()
    assert host.links()[MASTER]["address"] == mac


def test_a_master_with_quotes_in_its_name_is_a_name(host: Netns, pod: Netns, attach: Attach) -> None:
    """The kernel takes such a name, and so must everything on the way there."""
    hostile = 'x","mode","y'
    host.ip("link", "set", PEER, "name", hostile)
    network = attach(config_of(macvlan(master=hostile, ipam=STATIC)))

    network.add()

    assert pod.links()[INTERFACE]["link_index"] == host.links()[hostile]["ifindex"]
    network.delete()


def with_device(config: Config, device: str) -> Config:
    """As multus gives the device that the kubelet chose: it is the first plugin's."""
    first: dict[str, Any] = config["plugins"][0] if "plugins" in config else config
    first["device"] = device
    return config


def sysctl(pod: Netns, path: str) -> str:
    command = ["ip", "netns", "exec", pod.name, "cat", f"/proc/sys/{path}"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
