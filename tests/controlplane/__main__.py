"""`python -m tests.controlplane build` gets the programs; `path NAME` prints where one is; `up` runs a control plane
until Ctrl-C; `sums` prints what the projects publish as SHA-256 of the release files that `downloads.sha256` lacks."""

# ruff: noqa: T201  a command line prints

import argparse
import signal
import sys

from tests.controlplane import downloads
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.errors import ControlPlaneError
from tests.controlplane.tools import TOOLS, ensure_tools, source


def main() -> int:
    """Run one command; an error is one message and exit code 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.controlplane", description=__doc__)
    commands = parser.add_subparsers(required=True)
    for name, run in (("build", _build), ("path", _path), ("up", _up), ("sums", _sums)):
        command = commands.add_parser(name)
        command.set_defaults(run=run)
        if name == "path":
            command.add_argument("name", choices=[tool.name for tool in TOOLS])
    given = vars(parser.parse_args())
    try:
        given.pop("run")(**given)
    except ControlPlaneError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped")
    return 0


def _build() -> None:
    for name, path in ensure_tools(say=_say).items():
        print(f"{name:24} {path}")


def _path(name: str) -> None:
    print(ensure_tools([name], say=lambda line: print(line, file=sys.stderr))[name])


def _sums() -> None:
    for architecture in downloads.ARCHITECTURES.values():
        for tool in TOOLS:
            try:
                if (found := source(tool, architecture)) is not None:
                    digest, teller = downloads.expected_sum(found)
                    if teller != downloads.PINS.name:
                        _say(f"{digest}  {found.url}")
            except downloads.Unavailable as error:
                print(error, file=sys.stderr)


def _up() -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # `kill` and Ctrl-C both stop it in order
    with ControlPlane(say=_say) as cluster:
        _say(f"\nA Kubernetes control plane runs at {cluster.url}. In another terminal:\n")
        _say(f"  export KUBECONFIG={cluster.kubeconfig}")
        _say(f"  {cluster.kubectl_path} get --raw=/readyz?verbose\n")
        for name, pid in cluster.pids.items():
            _say(f"  {name:24} pid {pid:<8} log {cluster.logs[name]}")
        _say("\nCtrl-C stops it and deletes its data.")
        signal.pause()


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
