"""What is asked of a node's driver from inside a container, all at once, and what came back. Pure.

One shell runs all commands, as a session for each would cost seconds per node. What it prints is told apart by a marker
that nobody can know beforehand. Where no driver container runs, the agent's has the host's files.
"""

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

SECONDS: Final = 15
"""For one command: a card in trouble may make its tools hang."""

_NOT_IN_TIME: Final = 124
"""Exit code of `timeout`."""


class Status(StrEnum):
    SUCCESS = "SUCCESS"
    SKIPPED = "SKIPPED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Command:
    """`tool` is the program without which it is skipped."""

    name: str
    tool: str
    shell: str


@dataclass(frozen=True, slots=True)
class Outcome:
    name: str
    status: Status
    why: str
    output: str


DRIVER: Final = (
    Command("uname", "uname", "uname -a"),
    Command("lsmod", "lsmod", "lsmod"),
    Command("modinfo-mlx5_core", "modinfo", "modinfo mlx5_core"),
    Command("ofed_info", "ofed_info", "ofed_info -s"),
    Command("ibstat", "ibstat", "ibstat"),
    Command("ibv_devinfo", "ibv_devinfo", "ibv_devinfo"),
    Command("mst-status", "mst", "mst status -v"),
    Command("rdma-dev", "rdma", "rdma dev show"),
    Command("rdma-link", "rdma", "rdma link show"),
    Command("rdma-system", "rdma", "rdma system show"),
    Command("devlink-dev-info", "devlink", "devlink dev info"),
    Command("devlink-port", "devlink", "devlink port show"),
    Command("ip-link", "ip", "ip -details link show"),
    Command("ip-addr", "ip", "ip addr show"),
    Command("dmesg", "dmesg", "dmesg | tail -n 500"),
)
"""In the driver container."""

_MODULES: Final = "mlx5_core mlx5_ib ib_core ib_uverbs rdma_cm rdma_ucm ib_umad ib_ipoib mlx_compat nvidia_peermem"


def _listing(name: str, *folders: str) -> Command:
    """A host without a driver has none of them, and nothing has failed."""
    shell = f'for f in {" ".join(folders)}; do if [ -e $f ]; then ls -lR $f; else echo "$f: not there"; fi; done'
    return Command(name, "ls", shell)


HOST: Final = (
    Command("kernel", "cat", "cat /proc/version /host/etc/os-release"),
    Command(
        "modules",
        "cat",
        f"for m in {_MODULES}; do d=/host/sys/module/$m; [ -d $d ] || continue; echo $m"
        ' "version=$(cat $d/version 2>/dev/null)" "refcnt=$(cat $d/refcnt 2>/dev/null)"'
        ' "taint=$(cat $d/taint 2>/dev/null)" "state=$(cat $d/initstate 2>/dev/null)"; done',
    ),
    Command(
        "infiniband",
        "cat",
        "for f in /host/sys/class/infiniband/*/fw_ver /host/sys/class/infiniband/*/node_guid"
        " /host/sys/class/infiniband/*/ports/*/state /host/sys/class/infiniband/*/ports/*/rate"
        ' /host/sys/class/infiniband/*/ports/*/link_layer; do [ -f $f ] && echo "$f: $(cat $f)"; done; true',
    ),
    Command("links", "cat", 'for f in /host/sys/class/net/*/operstate; do echo "$f: $(cat $f)"; done'),
    _listing("char-devices", "/host/dev/infiniband"),
    _listing("driver-files", "/host/run/mellanox", "/host/var/opt/mofed-container"),
    _listing("device-plugins", "/host/var/lib/kubelet/device-plugins"),
)
"""In the agent's container, which sees the host below /host (deploy/nicfleet/files/agent-mounts.yaml)."""


def script(commands: Iterable[Command], marker: str) -> list[str]:
    """The command line that runs them all. `timeout` is used where there is one."""
    lines = [
        f"T=; command -v timeout >/dev/null 2>&1 && T='timeout {SECONDS}'",
        f'run() {{ if command -v "$2" >/dev/null 2>&1; then echo "{marker} begin $1"; $T sh -c "$3" 2>&1 </dev/null;'
        f' r=$?; echo; echo "{marker} end $1 $r"; else echo "{marker} skip $1"; fi; }}',
        *(f"run {each.name} {each.tool} {shlex.quote(each.shell)}" for each in commands),
    ]
    return ["sh", "-c", "\n".join(lines)]


def outcomes(commands: Sequence[Command], marker: str, printed: str, broken: str = "") -> tuple[Outcome, ...]:
    """What became of each; `broken` is why the session ended early, empty if it did not."""
    ended: dict[str, tuple[int, str]] = {}
    skipped = set()
    begun, lines = "", list[str]()
    for line in printed.split("\n"):
        what, name, *rest = line[len(marker) :].split() if line.startswith(f"{marker} ") else ("", "")
        if what == "begin":
            begun, lines = name, []
        elif what == "skip":
            skipped.add(name)
        elif what == "end" and name == begun:
            ended[name] = int(rest[0]), "\n".join(lines).rstrip("\n")
            begun = ""
        else:
            lines.append(line)
    partial = {begun: "\n".join(lines)} if begun else {}
    return tuple(
        Outcome(each.name, Status.SKIPPED, f"{each.tool} is not in the container", "")
        if each.name in skipped
        else _outcome(each.name, ended.get(each.name), broken, partial.get(each.name, ""))
        for each in commands
    )


def table(found: Iterable[Outcome]) -> str:
    """One line for each."""
    return "".join(f"{each.status:8} {each.name:20} {each.why}".rstrip() + "\n" for each in found)


def _outcome(name: str, ended: tuple[int, str] | None, broken: str, partial: str) -> Outcome:
    if ended is None:
        return Outcome(name, Status.FAILED, broken or "the session ended before it", partial)
    code, output = ended
    if code == 0:
        return Outcome(name, Status.SUCCESS, "", output)
    why = f"no end within {SECONDS} s" if code == _NOT_IN_TIME else f"exit code {code}"
    return Outcome(name, Status.FAILED, why, output)
