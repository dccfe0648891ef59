"""stdout holds data, whatever libraries print there."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.parity.conftest import CPP_RUNNER, PYTHON

Measure = Callable[..., "subprocess.CompletedProcess[str]"]
PRINTED = "onednn_verbose"


@pytest.fixture(autouse=True)
def talkative_libraries(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Library oneDNN prints each of its operators, and Python a line as it starts."""
    monkeypatch.setenv("ONEDNN_VERBOSE", "1")
    (tmp_path / "sitecustomize.py").write_text("print('a line of sitecustomize')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    # Unbuffered, a line is gone before this program is: only an engine's answers are safe from it.
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)


@pytest.fixture
def measure(artifact: Path, image_folder: Path) -> Measure:
    """Runs a command with an artifact and images that it measures quickly."""

    def run(program: list[str], name: str, *options: object) -> "subprocess.CompletedProcess[str]":
        words = [*program, name, artifact, image_folder, "--limit", 2, *options]
        return subprocess.run([*map(str, words)], capture_output=True, text=True, timeout=300)

    return run


def test_a_table_holds_nothing_else(measure: Measure, command: list[str]) -> None:
    done = measure(command, "bench", "--batch", 1, "--warmup", 1)
    assert (done.returncode, PRINTED in done.stderr) == (0, True), done.stderr
    assert "end-to-end FPS" in done.stdout
    assert PRINTED not in done.stdout and "sitecustomize" not in done.stdout


def test_a_worker_answers_among_what_libraries_print(
    artifact: Path, image_folder: Path, command: list[str]
) -> None:
    words = [*command, "worker", str(artifact), str(image_folder)]
    done = subprocess.run(words, input='{"pass": "open"}\n', capture_output=True, text=True)
    assert json.loads(done.stdout)["usable"] > 0
    assert PRINTED in done.stderr


@pytest.mark.parametrize("program", ["python", "cpp"])
def test_engines_answer_beside_a_stdout_that_is_not_held_back(
    program: str, cpp_command: list[str], measure: Measure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", "1")
    options = ("--program", CPP_RUNNER) if program == "cpp" else ()
    done = measure(PYTHON, "bench", "--batch", 1, "--warmup", 1, *options)
    assert done.returncode == 0, done.stderr
    assert "end-to-end FPS" in done.stdout and PRINTED not in done.stdout


def test_a_descriptor_that_is_none(artifact: Path, image_folder: Path, command: list[str]) -> None:
    words = [*command, "worker", str(artifact), str(image_folder), "--answers", "77"]
    done = subprocess.run(words, input="", capture_output=True, text=True)
    assert done.returncode == 1
    assert "error: the operating system refused: Bad file descriptor\n" in done.stderr


def test_json_on_stdout_is_whole(artifact: Path, mpm_deploy: Measure) -> None:
    assert json.loads(mpm_deploy("inspect", "--json", artifact).stdout)
