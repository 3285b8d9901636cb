"""The archive: nothing of it leaves its folder, and it is whole or not there, whenever it ends."""

import asyncio
import gc
import os
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cli.must_gather.archive import Archive, CannotWrite
from cli.must_gather.digest import Digest
from cli.must_gather.jobs import CUT_SHORT, Job, work
from cli.must_gather.run import finish


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path, "bundle", datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("pods/a/b.log", "pods/a/b.log"),
        ("../../etc/passwd", "__/__/etc/passwd"),
        ("pods/../../x", "pods/__/__/x"),
        ("/etc/passwd", "_/etc/passwd"),
        ("a//b/.", "a/_/b/_"),
        ("a/...", "a/___"),
        ("a\\..\\b:\n", "a_.._b__"),
        (".hidden/..b", ".hidden/..b"),
    ],
)
def test_whatever_a_thing_is_called_its_file_stays_below_the_folder(
    archive: Archive, path: str, expected: str, tmp_path: Path
) -> None:
    archive.add(path, "text")
    archive.finish()
    with tarfile.open(archive.path) as found:
        assert found.getnames() == [f"bundle/{expected}"]
        found.extractall(tmp_path / "out", filter="data")
    assert (tmp_path / "out/bundle" / expected).read_text() == "text"


def test_what_is_discarded_leaves_nothing_open_and_nothing_behind(archive: Archive, tmp_path: Path) -> None:
    archive.add("a", "text" * 100_000)
    archive.discard()
    archive.add("b", "late")
    del archive
    gc.collect()  # what was left open would warn, and a warning is an error
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_told_and_then_nothing_is_left(archive: Archive, tmp_path: Path) -> None:
    full = Path("/dev/full")
    archive._file._file.close()
    with full.open("wb") as archive._file._file:
        with pytest.raises(CannotWrite, match="with room"):
            archive.add("a", os.urandom(1 << 20))
        archive.discard()
    assert not list(tmp_path.iterdir())


def test_whoever_is_late_is_not_in_it(archive: Archive) -> None:
    archive.add("in-time", "")
    archive.finish()
    archive.add("late", "")
    with tarfile.open(archive.path) as found:
        assert found.getnames() == ["bundle/in-time"]
    assert [entry.path for entry in archive.entries] == ["in-time"]


async def test_a_job_that_does_not_let_go_is_named_and_does_not_spoil_the_archive(archive: Archive) -> None:
    """It is still at work when the archive is finished, and adds its file afterwards."""
    digest, released, done = Digest("", "", ""), asyncio.Event(), asyncio.Event()

    async def stubborn() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await released.wait()
            archive.add("late", "")

    async def quick() -> None:
        archive.add("quick", "")
        done.set()

    jobs = asyncio.create_task(work([Job("stubborn", stubborn), Job("quick", quick)], digest))
    await done.wait()
    jobs.cancel()
    await asyncio.sleep(0)
    bundle = finish(archive, digest)
    released.set()
    with pytest.raises(asyncio.CancelledError):
        await jobs

    assert "1 things collected, 1 not" in bundle.verdict
    with tarfile.open(bundle.path) as found:
        names = {name.removeprefix("bundle/") for name in found.getnames()}
        errors = found.extractfile("bundle/errors.txt")
        assert errors is not None
        assert errors.read() == b"stubborn: still under way at the end\n"
    assert names == {"quick", "errors.txt", "summary.md", "index.html", "manifest.json"}
    assert digest.failures[-1] == ("stubborn", CUT_SHORT)
