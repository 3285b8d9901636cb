"""The parts of a bundle that are rules: bounds of logs, what a shell's output means, which nodes are chosen."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from cli.must_gather.choice import choose, pods_to_read
from cli.must_gather.diagnostics import HOST, Command, Outcome, Status, outcomes, script
from cli.must_gather.durations import seconds
from cli.must_gather.facts import AgentFact, NodeFact, PodFact, pod_fact
from cli.must_gather.frames import Output
from cli.must_gather.logs import LONGEST_LINE, LogTail
from cli.must_gather.redaction import MASK
from cli.must_gather.scope import cited, is_ours, is_told_in_full, resource_of, slim, without_values
from nicfleet import names

MARK = "@@mark"
IMAGE = {"image": "i", "repository": "r", "version": "v"}
TRUE, ABSENT, FALSE = Command("t", "true", "echo out"), Command("a", "no-such-tool", "x"), Command("f", "sh", "exit 3")


@pytest.mark.parametrize(
    ("text", "expected"), [("90s", 90), ("6h", 21600), ("1h30m", 5400), ("2d", 172800)], ids=lambda value: str(value)
)
def test_times(text: str, expected: int) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "6", "h", "0s", "6h ", "-1h", "1.5h", "6hours"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="give for example"):
        seconds(text)


def test_a_log_keeps_its_newest_lines() -> None:
    tail = LogTail(most_bytes=20)
    for line in (b"first line\nsec", b"ond line\nthird ", b"line"):
        tail.feed(line)
    assert tail.text() == "[2 earlier lines left out]\nthird line\n"


def test_a_log_is_clean_also_where_a_secret_came_in_two_parts() -> None:
    tail = LogTail()
    tail.feed(b"sent Authorization: Bea")
    tail.feed(b"rer abcdef1234567\n")
    assert tail.text() == f"sent Authorization: {MASK}\n"


def test_a_line_without_an_end_takes_no_memory() -> None:
    tail = LogTail()
    for _ in range(100):
        tail.feed(b"a" * LONGEST_LINE)
    tail.feed(b"\nnext\n")
    assert tail.text() == f"{'a' * LONGEST_LINE} [the rest of this line is left out]\nnext\n"


def test_what_a_real_shell_prints_is_told_apart() -> None:
    commands = (TRUE, ABSENT, FALSE)
    done = subprocess.run(script(commands, MARK), capture_output=True, text=True, check=True)
    assert outcomes(commands, MARK, done.stdout) == (
        Outcome("t", Status.SUCCESS, "", "out"),
        Outcome("a", Status.SKIPPED, "no-such-tool is not in the container", ""),
        Outcome("f", Status.FAILED, "exit code 3", ""),
    )


def test_a_host_without_a_driver_has_no_folders_of_one_and_nothing_has_failed() -> None:
    listings = [each for each in HOST if each.tool == "ls"]
    done = subprocess.run(script(listings, MARK), capture_output=True, text=True, check=True)
    found = outcomes(listings, MARK, done.stdout)
    assert {each.status for each in found} == {Status.SUCCESS}
    assert "/host/dev/infiniband: not there" in found[0].output


@pytest.mark.parametrize(
    ("printed", "broken", "expected"),
    [
        pytest.param("", "refused", [(Status.FAILED, "refused", ""), (Status.FAILED, "refused", "")], id="nothing"),
        pytest.param(
            f"{MARK} begin t\nhalf",
            "cut off",
            [(Status.FAILED, "cut off", "half"), (Status.FAILED, "cut off", "")],
            id="broken-off-in-the-middle",
        ),
        pytest.param(
            f"{MARK} begin t\n@@other end t 0\n\n{MARK} end t 124\n{MARK} begin f\n\n{MARK} end f 0\n",
            "",
            [(Status.FAILED, "no end within 15 s", "@@other end t 0"), (Status.SUCCESS, "", "")],
            id="a-mark-that-somebody-guessed-and-one-that-hangs",
        ),
    ],
)
def test_a_session_that_ends_early_keeps_what_came(
    printed: str, broken: str, expected: list[tuple[Status, str, str]]
) -> None:
    found = outcomes((TRUE, FALSE), MARK, printed, broken)
    assert [(each.status, each.why, each.output) for each in found] == expected


@pytest.mark.parametrize(
    ("frames", "text", "broken"),
    [
        pytest.param([b"\x01a", b"\x02b", b'\x03{"status": "Success"}'], "ab", "", id="it-ended"),
        pytest.param(
            [b'\x03{"status": "Failure", "details": {"causes": [{"reason": "ExitCode", "message": "3"}]}}'],
            "",
            "",
            id="with-an-exit-code-too",
        ),
        pytest.param([b'\x03{"status": "Failure", "message": "no shell"}'], "", "no shell", id="it-never-began"),
        pytest.param([b"\x03{"], "", "{", id="a-status-that-is-none"),
        pytest.param([b"\x01a"], "a", "the connection ended before the command did", id="the-connection-broke"),
        pytest.param([b"\x01" + b"a" * 20], "a" * 10, "it printed more than is kept", id="too-much"),
        pytest.param([b"", b"\x07x", b'\x03{"status": "Success"}'], "", "", id="frames-of-no-use"),
    ],
)
def test_frames(frames: list[bytes], text: str, broken: str) -> None:
    output = Output(10)
    for frame in frames:
        output.take(frame)
    assert (output.text, output.broken) == (text, broken)


def pod(name: str, node: str = "", *, ready: bool = True, restarts: int = 0, on_each_node: bool = True) -> PodFact:
    return PodFact(name, node, "", "Running", ready, restarts, "", on_each_node, driver=False)


def test_sick_nodes_are_chosen_first() -> None:
    nodes = {name: NodeFact(name, nic=True, ready=name != "down") for name in ("a", "b", "c", "d", "down")}
    agents = {
        "b": AgentFact("b", "CONNECTION_CONNECTED", "1", (("DriverMixed", "x"),), in_step=True),
        "c": AgentFact("c", "CONNECTION_CONNECTED", "1", (), in_step=True),
    }
    pods = [pod("one", "c", restarts=1), pod("two", "d", ready=False)]
    assert choose(nodes, pods, agents, 5) == ("b", "d", "down", "c", "a")
    assert choose(nodes, pods, agents, 2) == ("b", "d")


def test_pods_of_other_nodes_are_not_read_but_for_those_of_no_daemon_set() -> None:
    pods = [pod("agent-a", "a"), pod("agent-b", "b"), pod("coordinator", "b", on_each_node=False), pod("pending")]
    assert [each.name for each in pods_to_read(pods, ["a"])] == ["coordinator", "pending", "agent-a"]


def test_of_a_pod_is_remembered_why_it_is_not_well() -> None:
    status = {
        "phase": "Running",
        "containerStatuses": [
            {"name": "new", "restartCount": 0, "state": {"waiting": {"reason": "ContainerCreating"}}},
            {"name": "old", "restartCount": 3, "state": {"waiting": {"reason": "CrashLoopBackOff"}}},
        ],
    }
    fact = pod_fact({"metadata": {"name": "p"}, "spec": {"nodeName": "n"}, "status": status})
    assert fact.why == "new: ContainerCreating"
    assert fact.restarts == 3
    assert [(each.started, each.restarted) for each in fact.containers] == [(False, False), (True, True)]


def test_of_a_node_is_kept_who_owns_its_labels() -> None:
    labels: dict[str, Any] = {"f:metadata": {"f:labels": {"f:a": {}}, "f:annotations": {"f:b": {}}}}
    body: dict[str, Any] = {
        "kind": "Node",
        "metadata": {
            "name": "n",
            "managedFields": [
                {"manager": "m", "fieldsV1": labels},
                {"manager": "kubelet", "fieldsV1": {"f:status": {}}},
            ],
        },
        "status": {"images": ["big"], "allocatable": {"cpu": "4"}},
    }
    kept = slim(body)
    assert kept["metadata"]["managedFields"] == [
        {"manager": "m", "fieldsV1": {"f:metadata": {"f:labels": {"f:a": {}}}}}
    ]
    assert kept["status"] == {"allocatable": {"cpu": "4"}}


def test_a_binding_is_ours_by_its_account_or_its_label() -> None:
    assert is_ours({"metadata": {}, "subjects": [{"namespace": "ns"}]}, "ns")
    assert is_ours({"metadata": {"labels": {names.STATE_LABEL: "state-x"}}}, "ns")
    assert not is_ours({"metadata": {}, "subjects": None}, "ns")


def test_a_kind_of_which_there_are_too_many_is_left_out() -> None:
    versions = [{"name": "v1", "storage": True}]
    crd = {"group": "nfd.k8s-sigs.io", "names": {"plural": "nodefeatures", "kind": "NodeFeature"}, "versions": versions}
    assert resource_of({"spec": crd}) is None


@pytest.mark.parametrize(
    ("kind", "spec", "expected"),
    [
        pytest.param(
            "NicClusterPolicy",
            {"ofedDriver": {**IMAGE, "certConfig": {"name": "certs"}, "repoConfig": {"name": "repos"}}},
            {"certs", "repos"},
            id="of-the-driver",
        ),
        pytest.param(
            "NicClusterPolicy",
            {"docaTelemetryService": {**IMAGE, "config": {"fromConfigMap": "dts"}}},
            {"dts"},
            id="of-the-telemetry-service",
        ),
        pytest.param("NicNodePolicy", {"rdmaSharedDevicePlugin": IMAGE}, {"rdma-devices-one"}, id="a-plugin's-own"),
        pytest.param("NicClusterPolicy", {"ofedDriver": {"certConfig": 5}}, set(), id="a-policy-that-is-none"),
        pytest.param("IPPool", {"config": {"fromConfigMap": "other"}}, set(), id="no-policy"),
    ],
)
def test_config_maps_that_a_policy_takes_configuration_from(
    kind: str, spec: dict[str, Any], expected: set[str]
) -> None:
    body = {"apiVersion": "mellanox.com/v1alpha1", "kind": kind, "metadata": {"name": "one", "uid": "u"}, "spec": spec}
    assert cited(body) == expected


def test_values_of_other_config_maps_are_not_told() -> None:
    release: dict[str, Any] = {"metadata": {"name": "sh.helm.release.v1.x"}, "data": {"release": "H4sI"}}
    assert without_values({**release, "binaryData": {"b": "AA=="}}) == {
        **release,
        "data": {"release": "[4 characters left out]"},
        "binaryData": {"b": "[4 characters left out]"},
    }
    assert not is_told_in_full(release, {"dts"})
    assert is_told_in_full({"metadata": {"name": "dts"}}, {"dts"})
    assert is_told_in_full({"metadata": {"name": "any", "labels": {names.STATE_LABEL: "state-x"}}}, ())


def test_the_archive_takes_as_much_memory_for_many_files_as_for_few(tmp_path: Path) -> None:
    """What is kept of a file is its path and size."""
    few, many = _grown(tmp_path, "few", 200), _grown(tmp_path, "many", 1500)
    assert many < few + 1500 * 1024


def _grown(folder: Path, name: str, files: int) -> int:
    import tracemalloc
    from datetime import UTC, datetime

    from cli.must_gather.archive import Archive

    archive = Archive(folder, name, datetime(2026, 1, 1, tzinfo=UTC))
    tracemalloc.start()
    for at in range(files):
        archive.add(f"nodes/{at}.yaml", f"{at} " * 4000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    archive.finish()
    return peak
