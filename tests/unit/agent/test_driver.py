import errno
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from agent.driver import BUILDS, LOCKS, with_peermem
from nicfleet.inventory import Driver, DriverBuild, DriverContainer, Flavour, Module, ModuleUse, Unread
from tests import host_driver
from tests.host_tree import PCI, HostTree
from tests.unit.agent.looking import look


def _inbox(root: Path) -> None:
    host_driver.load_driver(root, Flavour.INBOX)


def _old_inbox(root: Path) -> None:
    host_driver.load_driver(root, Flavour.INBOX, "5.0-0")


def _ofed(root: Path) -> None:
    host_driver.load_driver(root, Flavour.OFED, "24.10-1.1.4")


def _mixed(root: Path) -> None:
    _inbox(root)
    HostTree(root).write("sys/module/mlx5_core/taint", "OE")


def _leftover_compat(root: Path) -> None:
    host_driver.add_module(root, "mlx_compat", out_of_tree=True)


def _foreign(root: Path) -> None:
    host_driver.add_module(root, "irdma", out_of_tree=True)


def _foreign_user(root: Path) -> None:
    _inbox(root)
    HostTree(root).write("sys/module/ib_core/holders/ko2iblnd", b"")
    host_driver.add_module(root, "ko2iblnd", out_of_tree=True)


@pytest.mark.parametrize(
    ("load", "flavour", "version"),
    [
        pytest.param(lambda root: None, Flavour.NONE, None, id="nothing loaded"),
        pytest.param(_inbox, Flavour.INBOX, None, id="inbox"),
        pytest.param(_old_inbox, Flavour.INBOX, "5.0-0", id="an old inbox driver has a version"),
        pytest.param(_ofed, Flavour.OFED, "24.10-1.1.4", id="OFED"),
        pytest.param(_mixed, Flavour.MIXED, None, id="mlx5_core of OFED on the kernel's own ib_core"),
        pytest.param(_leftover_compat, Flavour.NONE, None, id="mlx_compat alone is no driver"),
        pytest.param(_foreign, Flavour.NONE, None, id="another vendor's RDMA driver"),
        pytest.param(_foreign_user, Flavour.INBOX, None, id="out-of-tree users do not make it mixed"),
    ],
)
def test_flavour(tree: HostTree, load: Callable[[Path], None], flavour: Flavour, version: str | None) -> None:
    load(tree.root)
    seen = look(tree)
    assert (seen.driver.flavour, seen.driver.version, [*seen.all_unread()]) == (flavour, version, [])


def test_users_of_the_stack_are_listed_with_what_they_hold(tree: HostTree) -> None:
    _inbox(tree.root)
    host_driver.add_module(tree.root, "nvidia_peermem", out_of_tree=True, references=2)
    host_driver.add_module(tree.root, "smc", references=0)
    host_driver.add_module(tree.root, "ext4", references=9)
    tree.write("sys/module/ib_core/holders/smc", b"")
    tree.write("sys/module/ib_core/refcnt", "12")
    seen = look(tree)
    assert {"nvidia_peermem", "smc"} <= {module.name for module in seen.driver.modules}
    assert seen.driver.module("ext4") is None
    use = {use.name: use for use in seen.module_use}
    assert use["nvidia_peermem"] == ModuleUse("nvidia_peermem", 2, ())
    assert use["ib_core"].references == 12
    assert "smc" in use["ib_core"].holders


def test_code_inside_the_kernel_image_is_built_in(tree: HostTree) -> None:
    tree.write("sys/module/ib_core/parameters/netns_mode", "N")
    seen = look(tree)
    assert seen.driver.module("ib_core") == Module("ib_core", "BuiltIn")
    assert (seen.driver.flavour, seen.driver.netns_shared) == (Flavour.INBOX, False)


def test_a_state_that_makes_no_sense_is_not_built_in(tree: HostTree) -> None:
    tree.write("sys/module/mlx5_core/initstate", "odd")
    seen = look(tree)
    assert seen.driver.module("mlx5_core") == Module("mlx5_core", "")
    assert seen.driver.unread == (Unread("sys/module/mlx5_core/initstate", 0),)


@pytest.mark.parametrize("attribute", ["taint", "initstate"])
@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO, errno.EINVAL, errno.ENODEV], ids=errno.errorcode.get)
def test_an_unreadable_origin_or_state_is_said_to_be_unread(tree: HostTree, attribute: str, code: int) -> None:
    _ofed(tree.root)
    path = f"sys/module/mlx5_core/{attribute}"
    seen = look(tree, errnos={path: code})
    assert seen.driver.unread == (Unread(path, code),)
    module = seen.driver.module("mlx5_core")
    assert module is not None
    assert module.state == ("" if attribute == "initstate" else "Live")


def test_a_state_that_nobody_may_see_is_not_built_in(tree: HostTree) -> None:
    _ofed(tree.root)
    path = "sys/module/mlx5_core/initstate"
    real = tree.real(path)
    tree.remove(path)
    seen = look(tree, errnos={real: errno.EACCES})
    assert seen.driver.unread == (Unread(path, errno.EACCES),)
    module = seen.driver.module("mlx5_core")
    assert module is not None
    assert module.state == ""


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(lambda root: None, DriverContainer(), id="never run"),
        pytest.param(partial(host_driver.set_ready, ready=True), DriverContainer(ready=True), id="ready file"),
        pytest.param(partial(host_driver.set_running, running=True), DriverContainer(running=True), id="lock held"),
        pytest.param(partial(host_driver.set_running, running=False), DriverContainer(), id="lock file left over"),
        pytest.param(
            partial(host_driver.set_reloading, reloading=True), DriverContainer(reloading=True), id="blacklist"
        ),
        pytest.param(
            partial(host_driver.add_build, kernel="5.15.0-78-generic", version="24.10-1.1.4.0"),
            DriverContainer(
                builds=(
                    DriverBuild("5.15.0-78-generic", "24.10-1.1.4.0", f"/{BUILDS}/5.15.0-78-generic/24.10-1.1.4.0"),
                )
            ),
            id="a finished build",
        ),
    ],
)
def test_container_files(tree: HostTree, change: Callable[[Path], None], expected: DriverContainer) -> None:
    change(tree.root)
    seen = look(tree)
    assert (seen.driver.container, [*seen.all_unread()]) == (expected, [])


def test_a_build_without_checksum_is_not_finished(tree: HostTree) -> None:
    tree.write(f"{BUILDS}/5.15.0-78-generic/24.10-1.1.4.0/half.deb", b"")
    assert look(tree).driver.container.builds == ()


def test_who_waits_for_the_lock_does_not_hold_it(tree: HostTree) -> None:
    host_driver.set_running(tree.root, True)
    tree.write(LOCKS, tree.text(LOCKS).replace("2: FLOCK", "2: -> FLOCK"))
    assert not look(tree).driver.container.running


def test_unloading_takes_the_rdma_devices_along(tree: HostTree) -> None:
    tree.add_pf("0000:3b:00.0", 0x1017, netdev="ens2f0")
    _ofed(tree.root)
    assert look(tree).functions[0].rdma_devices[0].char_devices != ()
    assert look(tree).driver.rdma_cm
    host_driver.unload_driver(tree.root)
    seen = look(tree)
    assert (seen.driver, seen.functions[0].rdma_devices) == (Driver(), ())
    assert (tree.root / PCI / "0000:3b:00.0/net/ens2f0").exists()


def test_an_unreadable_module_is_a_finding_of_the_driver(tree: HostTree) -> None:
    _inbox(tree.root)
    seen = look(tree, errnos={"sys/module/ib_core/refcnt": errno.EACCES})
    assert seen.driver.unread == (Unread("sys/module/ib_core/refcnt", errno.EACCES),)


CORE = Module("ib_core", "Live", "24.10-1.1.4", "AAAA", out_of_tree=True)
NEW_CORE = replace(CORE, version="25.07-0.9.7", srcversion="BBBB")
PEERMEM = Module("nvidia_peermem", "Live", "570.1", "CCCC", out_of_tree=True)


@pytest.mark.parametrize(
    ("story", "stale"),
    [
        pytest.param([(CORE, PEERMEM)], False, id="first sight"),
        pytest.param([(CORE, PEERMEM), (CORE, PEERMEM)], False, id="nothing changed"),
        pytest.param([(CORE,), (NEW_CORE,), (NEW_CORE, PEERMEM)], False, id="loaded after the change"),
        pytest.param([(CORE, PEERMEM), (NEW_CORE, PEERMEM)], True, id="core replaced beneath it"),
        pytest.param([(CORE, PEERMEM), (PEERMEM,), (CORE, PEERMEM)], True, id="core reloaded beneath it"),
        pytest.param([(CORE, PEERMEM), (NEW_CORE, PEERMEM), (NEW_CORE, PEERMEM)], True, id="it stays stale"),
        pytest.param([(CORE, PEERMEM), (NEW_CORE, PEERMEM), (NEW_CORE,)], False, id="unloaded"),
        pytest.param(
            [(CORE, PEERMEM), (NEW_CORE, PEERMEM), (NEW_CORE,), (NEW_CORE, PEERMEM)], False, id="unloaded and loaded"
        ),
        pytest.param(
            [(CORE, PEERMEM), (NEW_CORE, PEERMEM), (NEW_CORE, replace(PEERMEM, srcversion="DDDD"))],
            False,
            id="rebuilt",
        ),
        pytest.param(
            [(CORE, replace(PEERMEM, state="Loading")), (replace(CORE, state="Unloading"), PEERMEM)],
            False,
            id="states are not builds",
        ),
    ],
)
def test_peermem(story: list[tuple[Module, ...]], stale: bool) -> None:
    seen: Driver | None = None
    for loaded in story:
        seen = with_peermem(seen, Driver(modules=loaded))
    assert seen is not None
    assert seen.peermem_stale is stale
