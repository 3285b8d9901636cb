"""What an agent's message may be. Whatever comes is refused in one sentence, or held without harm."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.fleet import bounds
from coordinator.fleet.fleet import Fleet
from coordinator.fleet.identity import Identity
from nicfleet.inventory import NodeName
from nicfleet.v1 import fleet_pb2, inventory_pb2
from tests.unit.coordinator.inventories import connectx6dx, inventory, ofed
from tests.unit.coordinator.reports import hello, identity, update

INVENTORY = inventory(connectx6dx(), driver=ofed())


def _hello(**changes: str) -> fleet_pb2.Hello:
    message = hello(INVENTORY, identity())
    for name, value in changes.items():
        setattr(message, name, value)
    return message


def _manifest(*entries: tuple[str, bytes]) -> fleet_pb2.Hello:
    message = _hello()
    del message.manifest.sections[:]
    message.manifest.sections.extend(fleet_pb2.SectionHash(name=name, hash=hash_) for name, hash_ in entries)
    return message


def _started(seconds: int) -> fleet_pb2.Hello:
    message = _hello()
    message.started.seconds = seconds
    return message


def test_a_greeting_is_small() -> None:
    bounds.check_greeting(256 * 1024)
    with pytest.raises(bounds.OutOfBounds, match="the first message has 262145 bytes, 262144 are allowed"):
        bounds.check_greeting(256 * 1024 + 1)


@pytest.mark.parametrize("name", ["a", "worker-1.example.com", "a" * 253, "1"])
def test_hello_of_a_node(name: str) -> None:
    bounds.check_hello(_hello(node_name=name))


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        pytest.param(_hello(node_name=""), "hello.node_name '' is not the name of a Kubernetes Node", id="no-name"),
        pytest.param(
            _hello(node_name="Worker"), "hello.node_name 'Worker' is not the name of a Kubernetes Node", id="capital"
        ),
        pytest.param(
            _hello(node_name="a" * 254),
            f"hello.node_name '{'a' * 80}…' is not the name of a Kubernetes Node",
            id="long-name",
        ),
        pytest.param(
            _hello(node_name="a\n"), "hello.node_name 'a\\n' is not the name of a Kubernetes Node", id="newline"
        ),
        pytest.param(_hello(instance_id=""), "hello.instance_id is empty", id="no-instance"),
        pytest.param(
            _hello(boot_id="b" * 65),
            f"hello.boot_id '{'b' * 65}' must be at most 64 printable ASCII characters, no space",
            id="long-boot-id",
        ),
        pytest.param(
            _hello(agent_version="0 1"),
            "hello.agent_version '0 1' must be at most 64 printable ASCII characters, no space",
            id="space-in-version",
        ),
        pytest.param(_started(10**18), "hello.started is not a point in time", id="started"),
        pytest.param(_manifest(("driver", b"x")), "the manifest has no section 'node'", id="no-node-section"),
        pytest.param(
            _manifest(("node", b"x"), ("node", b"x")), "the manifest names section 'node' twice", id="section-twice"
        ),
        pytest.param(
            _manifest(("node", b"")), "the hash of section node has 0 bytes, 1 to 32 are allowed", id="empty-hash"
        ),
        pytest.param(
            _manifest(("node", b"x" * 33)), "the hash of section node has 33 bytes, 1 to 32 are allowed", id="long-hash"
        ),
        pytest.param(
            _manifest(("node", b"x"), ("function/", b"x")),
            "the manifest names 'function/', which is no section",
            id="function-without-address",
        ),
        pytest.param(
            _manifest(("node", b"x"), ("nodes", b"x")), "the manifest names 'nodes', which is no section", id="unknown"
        ),
        pytest.param(
            _manifest(("node", b"x"), *((f"function/0000:00:{n // 8:02x}.{n % 8}", b"x") for n in range(1024))),
            "the manifest has 1025 sections, 1024 are allowed",
            id="too-many-sections",
        ),
    ],
)
def test_a_hello_out_of_bounds(message: fleet_pb2.Hello, sentence: str) -> None:
    with pytest.raises(bounds.OutOfBounds) as raised:
        bounds.check_hello(message)
    assert str(raised.value) == sentence


FUNCTION = "function/0000:3b:00.0"


def _function(function: inventory_pb2.Function) -> fleet_pb2.Update:
    """An update whose function section holds this."""
    message = update(INVENTORY)
    function.address = function.address or "0000:3b:00.0"
    message.sections[2].function.CopyFrom(function)
    return message


def _swapped() -> fleet_pb2.Update:
    message = update(INVENTORY)
    message.sections[0].driver.SetInParent()
    return message


def _other_hash() -> fleet_pb2.Update:
    message = update(INVENTORY)
    message.sections[0].hash = b"other"
    return message


def _twice() -> fleet_pb2.Update:
    message = update(INVENTORY)
    message.sections.append(message.sections[0])
    return message


def _vfs(count: int, common: int = 0) -> inventory_pb2.Function:
    function = inventory_pb2.Function(virtual_functions=[inventory_pb2.Function()] * count)
    function.virtual_function_common.unread.extend(inventory_pb2.Unread(path="x" * 1000) for _ in range(common))
    return function


NESTED = inventory_pb2.Function(virtual_functions=[_vfs(1)])
LONG_LIST = inventory_pb2.Function(netdevs=[inventory_pb2.Netdev()] * 4097)
LONG_TEXT = inventory_pb2.Function(netdevs=[inventory_pb2.Netdev(name="x" * 1025)])
TOO_MUCH_USE = fleet_pb2.Update(module_use=[inventory_pb2.ModuleUse()] * 4097)


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        pytest.param(_swapped(), "section node does not hold a node", id="another-kind"),
        pytest.param(_other_hash(), "section 'node' is not in update.manifest with the same hash", id="hash"),
        pytest.param(_twice(), "update.sections names section 'node' twice", id="twice"),
        pytest.param(
            _function(inventory_pb2.Function(address="0000:3b:00.1")),
            f"section {FUNCTION} holds function '0000:3b:00.1'",
            id="another-address",
        ),
        pytest.param(
            _function(_vfs(10_000)), f"section {FUNCTION} has 10001 functions, 10000 are allowed", id="too-many-vfs"
        ),
        pytest.param(
            _function(_vfs(5_000, common=3)), f"section {FUNCTION} unfolds to more than 8388608 bytes", id="amplified"
        ),
        pytest.param(
            _function(NESTED), f"section {FUNCTION} has virtual functions of virtual functions", id="nested-vfs"
        ),
        pytest.param(_function(LONG_LIST), f"{FUNCTION}: netdevs has 4097 entries, 4096 are allowed", id="long-list"),
        pytest.param(_function(LONG_TEXT), f"{FUNCTION}: name has 1025 characters, 1024 are allowed", id="long-text"),
        pytest.param(
            fleet_pb2.Update(manifest=update(INVENTORY).manifest, module_use=TOO_MUCH_USE.module_use),
            "update.module_use has 4097 entries, 4096 are allowed",
            id="module-use",
        ),
    ],
)
def test_an_update_out_of_bounds(message: fleet_pb2.Update, sentence: str) -> None:
    with pytest.raises(bounds.OutOfBounds) as raised:
        bounds.check_update(message)
    assert str(raised.value) == sentence


def test_an_update_of_more_than_4_mib() -> None:
    many = inventory_pb2.Function(unread=[inventory_pb2.Unread(path="x" * 1024)] * 4096)
    with pytest.raises(bounds.OutOfBounds, match=r"^update has \d+ bytes, 4194304 are allowed$"):
        bounds.check_update(_function(many))


def test_the_largest_host_is_within_bounds() -> None:
    common = inventory_pb2.Function(vendor=0x15B3, driver="mlx5_core", model="x" * 40)
    own = [inventory_pb2.Function(address=f"0000:3b:{n // 8:02x}.{n % 8}") for n in range(1023)]
    bounds.check_update(_function(inventory_pb2.Function(virtual_function_common=common, virtual_functions=own)))


TEXT = st.text(max_size=20)
ADDRESS = st.sampled_from(["0000:3b:00.0", "0000:3b:00.1"]) | TEXT
FUNCTIONS = st.builds(
    inventory_pb2.Function,
    address=ADDRESS,
    kind=st.sampled_from([0, 1, 2]),
    pci_class=st.none() | st.integers(0, 2**32 - 1),
    generation=st.none() | TEXT,
    model=st.none() | TEXT,
    driver=st.none() | st.sampled_from(["mlx5_core", "vfio-pci"]) | TEXT,
    supported=st.none() | st.booleans(),
    netdevs=st.lists(st.builds(inventory_pb2.Netdev, name=TEXT, addresses=st.lists(TEXT, max_size=2)), max_size=2),
    rdma_devices=st.lists(st.builds(inventory_pb2.RdmaDevice, name=TEXT), max_size=2),
    unread=st.lists(st.builds(inventory_pb2.Unread, path=TEXT, errno=st.integers(-(2**31), 2**31 - 1)), max_size=3),
)
NODES = st.builds(
    inventory_pb2.Node,
    name=TEXT,
    os_id=st.none() | TEXT,
    kernel_release=st.none() | TEXT,
    links=st.lists(
        st.builds(
            inventory_pb2.Link, name=TEXT, lower=st.lists(TEXT, max_size=2), addresses=st.lists(TEXT, max_size=2)
        ),
        max_size=3,
    ),
)
DRIVERS = st.builds(
    inventory_pb2.Driver,
    flavour=st.sampled_from([0, 1, 2, 3, 4]),
    version=st.none() | TEXT,
    modules=st.lists(st.builds(inventory_pb2.Module, name=TEXT, state=TEXT), max_size=3),
)
SECTIONS = st.one_of(
    st.builds(
        fleet_pb2.Section, name=st.sampled_from(["node", "driver"]) | TEXT, hash=st.binary(max_size=3), node=NODES
    ),
    st.builds(fleet_pb2.Section, name=st.just("driver"), hash=st.binary(max_size=3), driver=DRIVERS),
    st.builds(fleet_pb2.Section, name=ADDRESS.map("function/".__add__), hash=st.binary(max_size=3), function=FUNCTIONS),
)


@settings(deadline=None, max_examples=300)
@given(
    st.builds(fleet_pb2.Section, name=st.just("node"), hash=st.just(b"x"), node=NODES), st.lists(SECTIONS, max_size=4)
)
def test_no_content_crashes_the_fleet(first: fleet_pb2.Section, others: list[fleet_pb2.Section]) -> None:
    sections = [first, *others]
    entries = [fleet_pb2.SectionHash(name=section.name, hash=section.hash) for section in sections]
    message = fleet_pb2.Update(sequence=1, manifest=fleet_pb2.Manifest(sections=entries), sections=sections)
    fleet = Fleet(lambda: datetime(2026, 1, 1, tzinfo=UTC), lambda name, hardware: None)
    who = Identity(NodeName("worker-1"), "i", "b", datetime(2026, 1, 1, tzinfo=UTC), "0")
    try:
        bounds.check_update(message)
    except bounds.OutOfBounds:
        return
    fleet.connected(who, message.manifest)
    assert fleet.updated(who.node, message) == ()
