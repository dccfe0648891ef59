"""Refusals of the operating system, and names that are no text: the same in both programs."""

import json
import os
import subprocess
from pathlib import Path

import pytest
import torch

from tests.parity.conftest import with_manifest


@pytest.fixture
def circle(tmp_path: Path) -> Path:
    """A link to itself."""
    path = tmp_path / "circle"
    path.symlink_to(path)
    return path


def test_both_programs_say_the_same(artifact, image_folder, circle, cpp_runner, mpm_deploy):
    folder = circle.parent
    (folder / "file").write_text("a file")
    for arguments, named in (
        ((circle, image_folder, "-o", folder / "out"), "cannot be opened: Too many levels"),
        (("a" * 300, image_folder, "-o", folder / "out"), "cannot be opened: File name too long"),
        ((artifact, circle, "-o", folder / "out"), "cannot be read: Too many levels"),
        ((artifact, image_folder, "-o", folder / "file" / "a"), "made a folder: Not a directory"),
    ):
        python, cpp = (run("run", *arguments) for run in (mpm_deploy, cpp_runner))
        assert named in python.stderr
        assert python.stderr.splitlines()[0].startswith("error: ")
        assert python.stderr.splitlines()[1].startswith("  hint: ")
        assert cpp.stderr == python.stderr


def test_both_programs_say_the_same_of_images_and_options(
    image_folder, cpp_runner, mpm_deploy, tmp_path
):
    same = [tmp_path / name / "a.jpg" for name in "xyz"]
    for path in same:
        path.parent.mkdir()
        path.write_bytes((image_folder / "image_0.jpg").read_bytes())
    for arguments, said in (
        ((*same, "-o", tmp_path / "out"), f"{same[0]} and {same[1]} and {same[2]}: expected names"),
        ((*same, "-o", ""), "expected a path, got an empty one"),
        ((*same, "-o", tmp_path, "--trust", ""), "expected a path, got an empty one"),
        ((*same, "--json", ""), "expected a path or an address, got an empty one"),
        (
            (*same, "-o", tmp_path, "--device", "gpu"),
            "expected 'cpu', 'cuda' or 'cuda:1', got 'gpu'",
        ),
        ((*same, "-o", tmp_path, "--batch", "0"), "expected a whole number from 1 up, got '0'"),
        ((*same, "-o", tmp_path, "--timeout", "x"), "expected seconds, above 0, got 'x'"),
    ):
        python, cpp = (run("run", "none.pt", *arguments) for run in (mpm_deploy, cpp_runner))
        assert said in python.stderr and said in cpp.stderr, (python.stderr, cpp.stderr)
        assert python.returncode == cpp.returncode


def test_both_workers_say_which_passes_there_are(artifact, image_folder, command):
    words = [*command, "worker", str(artifact), str(image_folder)]
    done = subprocess.run(words, input='{"pass": "sleep"}\n', capture_output=True, text=True)
    problem = json.loads(done.stdout)["error"]
    assert problem == "pass: expected one of open, warmup, model, end_to_end, got 'sleep'"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_file_for_any_device_is_offered_the_cpu(
    artifact, image_folder, cpp_runner, mpm_deploy, tmp_path
):
    for run in (mpm_deploy, cpp_runner):
        done = run("run", artifact, image_folder, "-o", tmp_path / "maps", "--device", "cuda")
        assert done.returncode == 1
        problem, hint = done.stderr.splitlines()[:2]
        assert "asked to run on 'cuda" in problem
        assert hint.endswith(", or run it on device 'cpu'")


def test_cpp_names_the_program_that_has_a_backend_which_it_lacks(
    artifact, image_folder, cpp_runner, tmp_path
):
    path = tmp_path / "a.abacus"
    with_manifest(artifact, path, lambda data: data["requires"].update(backend="abacus"))
    done = cpp_runner("run", path, image_folder, "-o", tmp_path / "maps")
    assert done.returncode == 1
    problem, hint = done.stderr.splitlines()[:2]
    assert 'a.abacus: built for backend "abacus", and this program has ' in problem
    assert "`mpm-deploy run`" in hint


def test_names_that_are_no_text_are_escaped_and_found_again(
    artifact, image_folder, cpp_runner, mpm_deploy, tmp_path
):
    images = tmp_path / "images"
    images.mkdir()
    bad, good = images / os.fsdecode(b"b\xe9d.jpg"), images / os.fsdecode(b"g\xe9.jpg")
    bad.write_text("no picture")
    good.write_bytes((image_folder / "image_0.jpg").read_bytes())
    odd = tmp_path / os.fsdecode(b"a\xe9.pt")
    odd.write_bytes(artifact.read_bytes())
    for run in (mpm_deploy, cpp_runner):
        done = run("run", odd, images, "-o", tmp_path / "maps")
        assert done.returncode == 3, done.stderr
        assert f"skipped {images}/b\\udce9d.jpg: not a JPEG" in done.stderr
        assert (tmp_path / "maps" / os.fsdecode(b"g\xe9.png")).is_file()
    control = images / "c\x85d.png"  # a character that terminals obey, and JSON has no \\x for
    control.write_text("no picture")
    for run in (mpm_deploy, cpp_runner):
        done = run("run", odd, images, "--json", "-")
        names = [json.loads(line).get("name") for line in done.stdout.splitlines()[1:-1]]
        assert names == [str(path) for path in (bad, control, images / os.fsdecode(b"g\xe9.jpg"))]
    control.unlink()
    report = tmp_path / "report.json"
    assert cpp_runner("bench", odd, images, "--batch", 1, "--json", report).returncode == 3
    written = json.loads(report.read_text())
    assert written["artifact"]["path"] == str(odd)
    assert [Path(each["path"]) for each in written["skipped"]] == [bad]
