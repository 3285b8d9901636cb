"""The committed stubs are what `make generate` makes of the proto files."""

import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


def test_stubs_are_current(tmp_path: Path) -> None:
    protos = sorted(str(path.relative_to(REPOSITORY / "proto")) for path in (REPOSITORY / "proto").rglob("*.proto"))
    outputs = [f"--{kind}_out={tmp_path}" for kind in ("python", "grpc_python", "mypy", "mypy_grpc")]
    # The plugins are beside the interpreter that runs this.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = [sys.executable, "-m", "grpc_tools.protoc", f"--proto_path={REPOSITORY / 'proto'}", *outputs, *protos]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "PATH": path})

    made = {file.relative_to(tmp_path): file.read_text() for file in tmp_path.rglob("*_pb2*.py*")}
    committed = {name: (REPOSITORY / name).read_text() for name in made}

    assert len(made) == 4 * len(protos)
    assert committed == made
