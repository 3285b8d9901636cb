"""A run leaves nothing, however it ends."""

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.controlplane.errors import ControlPlaneError
from tests.e2e import stopping
from tests.e2e.folder import mounted_below, of_a_run
from tests.e2e.node import eventually
from tests.e2e.site import Site


@pytest.fixture(autouse=True)
def _temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


class Broken(Site):
    """It cannot be built, and its logs cannot be kept."""

    taken_down = False

    def _build(self) -> None:
        self._ending.callback(self._take_down)
        raise ControlPlaneError("cannot be built")

    def _take_down(self) -> None:
        self.taken_down = True

    def keep_logs(self) -> Path:
        raise OSError("no space left on device")


def test_it_is_taken_down_although_its_logs_cannot_be_kept(tmp_path: Path) -> None:
    site = Broken()
    with pytest.raises(OSError, match="no space") as raised, site:
        pass
    assert str(raised.value.__context__) == "cannot be built"
    assert site.taken_down
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def heeded(request: pytest.FixtureRequest) -> Iterator[signal.Signals]:
    """A signal that this process does not ignore, even where whoever started it made it so: nohup, a shell's `&`."""
    number: signal.Signals = request.param
    before = signal.signal(number, signal.SIG_DFL)
    yield number
    signal.signal(number, before)


@pytest.mark.parametrize("heeded", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], indirect=True)
def test_whatever_ends_a_run_interrupts_it_and_does_not_disturb_what_takes_it_down(heeded: signal.Signals) -> None:
    went_on = []

    def run() -> None:
        try:
            signal.raise_signal(heeded)
        finally:
            with stopping.undisturbed():
                signal.raise_signal(heeded)
                went_on.append(heeded)

    with pytest.raises(KeyboardInterrupt, match=heeded.name), stopping.in_order():
        run()
    assert went_on == [heeded]
    assert signal.getsignal(heeded) is signal.SIG_DFL


def test_all_temporary_files_go_with_the_run_and_with_the_next_one_those_of_a_killed_one(tmp_path: Path) -> None:
    (tmp_path / "nicfleet-e2e-run-killed/tmp").mkdir(parents=True)
    (tmp_path / "nicfleet-e2e-logs-kept").mkdir()
    variable = os.environ.get("TMPDIR")
    with of_a_run() as folder:
        assert folder.parent == tmp_path
        assert folder in Path(tempfile.mkdtemp()).parents
        assert folder in Path(os.environ["TMPDIR"]).parents
        assert {path.name for path in tmp_path.iterdir()} == {folder.name, "nicfleet-e2e-logs-kept"}
    assert [path.name for path in tmp_path.iterdir()] == ["nicfleet-e2e-logs-kept"]
    assert tempfile.gettempdir() == str(tmp_path)
    assert os.environ.get("TMPDIR") == variable


def test_mounts_are_found_below_a_symlink_and_by_names_that_the_kernel_escapes(tmp_path: Path) -> None:
    """Else they would be emptied with the run's folder."""
    real = tmp_path / "a \\ b"
    real.mkdir()
    (tmp_path / "link").symlink_to(real)
    told = str(real).replace("\\", "\\134").replace(" ", "\\040")
    lines = [f"36 35 0:32 / {path} rw shared:1 - tmpfs tmpfs rw" for path in (f"{told}/run/x", f"{told}/run", "/")]
    assert mounted_below(tmp_path / "link/run", "\n".join(lines)) == [real / "run/x"]


def test_what_did_not_come_is_told_as_it_is_in_the_end() -> None:
    looks = iter(range(100))
    with pytest.raises(ControlPlaneError, match="a pod, not 1"):
        eventually(lambda: next(looks) < 0, 0, lambda: f"a pod, not {next(looks)}")
