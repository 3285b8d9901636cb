"""Whatever the agent knows arrives unchanged, and a hash changes exactly when its section does."""

import dataclasses
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nicfleet import wire
from nicfleet.inventory import Driver, Flavour, Function, FunctionKind, Inventory, Netdev, Node, NodeName, PciAddress
from nicfleet.v1 import fleet_pb2, inventory_pb2, view_pb2

# Few values, many combinations: the shape is under test, and drawing free text for hundreds of fields is slow.
_TEXT = st.sampled_from(["", "0000:03:00.0", "é\n\x00"])
_BY_TYPE = {
    str: _TEXT,
    PciAddress: _TEXT,
    NodeName: _TEXT,
    int: st.sampled_from([0, 1, 2**31 - 1]),
    float: st.sampled_from([0.0, 2.5]),
    bool: st.booleans(),
    Flavour: st.sampled_from(Flavour),
    FunctionKind: st.sampled_from(FunctionKind),
}


def any_value(kind: Any, leave_out: str = "") -> st.SearchStrategy[object]:
    """Values of a dataclass of the inventory, every field drawn by its type."""
    hints = get_type_hints(kind)
    drawn = {field.name: _drawn(hints[field.name]) for field in dataclasses.fields(kind) if field.name != leave_out}
    return st.builds(kind, **drawn)


def _drawn(hint: Any) -> st.SearchStrategy[object]:
    if hint in _BY_TYPE:
        return _BY_TYPE[hint]
    if dataclasses.is_dataclass(hint):
        return any_value(hint)
    first, *rest = get_args(hint)
    if rest == [Ellipsis]:
        if first is Function:
            vf = any_value(Function, leave_out="virtual_functions")
            return st.lists(vf, max_size=3).map(tuple)
        return st.lists(_drawn(first), max_size=2).map(tuple)
    return st.none() | _drawn(first)


INVENTORIES = any_value(Inventory)
# By themselves: a whole inventory is so large that none with two VFs on a PF is ever drawn.
SIBLINGS = st.lists(any_value(Function, leave_out="virtual_functions"), min_size=2, max_size=3).map(tuple)


@settings(max_examples=40)
@given(INVENTORIES)
def test_round_trip(inventory: Inventory) -> None:
    assert wire.from_wire(wire.to_wire(inventory)) == inventory


@settings(max_examples=40)
@given(INVENTORIES)
def test_an_absent_fact_stays_absent(inventory: Inventory) -> None:
    received = view_pb2.Inventory.FromString(wire.to_wire(inventory).SerializeToString())
    assert wire.from_wire(received) == inventory


def pf(address: str, **changes: Any) -> Function:
    return dataclasses.replace(Function(PciAddress(address), vendor=0x15B3), **changes)


def vf(index: int, **changes: Any) -> Function:
    base = Function(
        PciAddress(f"0000:03:00.{index}"),
        FunctionKind.VF,
        device=0x1018,
        driver="mlx5_core",
        pf=PciAddress("0000:03:00.0"),
        vf_index=index,
    )
    return dataclasses.replace(base, **changes)


def test_what_all_vfs_share_travels_once() -> None:
    message = wire.function_to_wire(pf("0000:03:00.0", virtual_functions=tuple(vf(n) for n in range(1, 8))))

    assert message.virtual_function_common.driver == "mlx5_core"
    assert [{field.name for field, _ in own.ListFields()} for own in message.virtual_functions] == [
        {"address", "vf_index"}
    ] * 7


def test_a_vf_without_a_driver_keeps_having_none() -> None:
    function = pf("0000:03:00.0", virtual_functions=(vf(1), vf(2, driver=None)))
    assert wire.function_from_wire(wire.function_to_wire(function)) == function


@settings(max_examples=40)
@given(SIBLINGS)
def test_round_trip_of_siblings(virtual_functions: tuple[Function, ...]) -> None:
    function = pf("0000:03:00.0", virtual_functions=virtual_functions)
    assert wire.function_from_wire(wire.function_to_wire(function)) == function


def test_what_one_vf_does_not_know_is_not_taken_from_its_sibling() -> None:
    known = vf(1, supported=False, numa_node=0, sriov_num_vfs=0)
    function = pf("0000:03:00.0", virtual_functions=(known, vf(2), vf(3, numa_node=0)))
    assert wire.function_from_wire(wire.function_to_wire(function)) == function


def test_only_the_changed_section_has_another_hash() -> None:
    before = Inventory(Node(NodeName("n")), functions=(pf("0000:03:00.0"), pf("0000:03:00.1")))
    changed = pf("0000:03:00.1", netdevs=(Netdev("ens2f1"),))
    after = dataclasses.replace(before, functions=(before.functions[0], changed))

    hashes = [{name: part.hash for name, part in wire.sections(i, "1").by_name.items()} for i in (before, after)]

    assert {name for name in hashes[0] if hashes[0][name] != hashes[1][name]} == {"function/0000:03:00.1"}


def test_another_agent_version_has_other_hashes() -> None:
    inventory = Inventory(Node(NodeName("n")))
    old, new = (wire.sections(inventory, version).by_name["node"].hash for version in ("1", "2"))
    assert old != new


def test_use_counts_are_outside_the_hashes() -> None:
    inventory = Inventory(Node(NodeName("n")), Driver(flavour=Flavour.INBOX))
    message = wire.from_sections(
        wire.sections(inventory, "1").by_name.values(), [inventory_pb2.ModuleUse(name="ib_core", references=3)]
    )
    assert message.module_use[0].references == 3
    assert dataclasses.replace(wire.from_wire(message), module_use=()) == inventory


def test_an_enum_value_of_a_newer_agent_claims_the_least() -> None:
    message = view_pb2.Inventory()
    message.driver.flavour = 99  # type: ignore[assignment]  # what a newer schema would send
    assert wire.from_wire(message).driver.flavour is Flavour.NONE


def test_sections_without_the_node_are_no_inventory() -> None:
    with pytest.raises(wire.IncompleteInventory, match="no section named 'node'"):
        wire.from_sections([fleet_pb2.Section(name="driver")])
