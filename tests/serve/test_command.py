"""The command: what it takes, what it says without its packages, how it ends."""

import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from mpm_deploy.errors import MissingPackageError
from mpm_deploy.measure.speed.engine import PROGRAM
from mpm_deploy.serve import packages
from tests.cli.running import run

# Nothing here imports kserve: tritonclient brings the same messages, and others' tests use it.
installed = pytest.mark.skipif(not find_spec("kserve"), reason="kserve is not installed")


def test_without_its_packages_it_says_how_to_get_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(packages, "find_spec", lambda name: None if name == "kserve" else name)
    with pytest.raises(MissingPackageError):
        packages.check_packages()
    assert run("serve", "any.pt2") == 1
    assert capsys.readouterr().err == (
        "error: serving needs kserve\n  hint: pip install 'mpm-deploy[serve]'\n"
    )


def test_nothing_else_imports_them() -> None:
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['kserve', 'fastapi', 'grpc', 'uvicorn']))\n"
        "from mpm_deploy import cli; sys.exit(cli.main(['serve', '--help']))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (answer.returncode, answer.stderr) == (0, "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["a b.pt2"], "'a b' cannot stand in an address"),
        (["=a.pt2"], "cannot stand in an address"),
        (["a="], "expected a path, got an empty one"),
        (["a.pt2", "--port", "65536"], "expected a port from 0 to 65535"),
    ],
)
def test_words_that_make_no_sense(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        run("serve", *words)
    assert said in capsys.readouterr().err


@installed
def test_names_differ(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("serve", "x/a.pt2", "y/a.pt") == 1
    assert "expected names that differ, got a for both" in capsys.readouterr().err


@installed
def test_a_file_may_have_an_equals_sign(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.pt2"
    file.write_text("no artifact")
    assert run("serve", f"name={file}") == 1
    assert str(file) in capsys.readouterr().err


@installed
def test_a_port_of_grpc_that_is_taken(artifact: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [*PROGRAM, "serve", artifact, "--port=0", f"--grpc-port={port}"]
        answer = subprocess.run(command, capture_output=True, text=True)
    assert answer.returncode == 1
    assert "add_port" not in answer.stderr  # what gRPC itself prints
    *_, problem, cure = answer.stderr.splitlines()
    assert problem.startswith(f"error: 127.0.0.1:{port}: cannot listen there: Address already in")
    assert cure == "  hint: name a free port: --grpc-port 0 takes any"
