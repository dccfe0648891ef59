"""Where results go: tried before the work, written before anything is printed, never an input."""

import json
import os
import subprocess
import time
from pathlib import Path

import pytest

BENCH = ("--batch", "1", "--limit", "2", "--warmup", "1")


def start(command: list[str], *arguments: object, **streams: object) -> tuple[int, str]:
    """Run a program, and return its exit code and what it says on stderr."""
    words = [*command, *map(str, arguments)]
    done = subprocess.run(words, stderr=subprocess.PIPE, text=True, timeout=300, **streams)  # type: ignore[call-overload]
    return done.returncode, done.stderr


def test_a_reader_that_has_seen_enough_is_no_failure(
    command: list[str], artifact: Path, image_folder: Path, tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    reading, writing = os.pipe()
    os.close(reading)
    code, errors = start(
        command, "bench", artifact, image_folder, *BENCH, "--json", report, stdout=writing
    )
    os.close(writing)
    assert (code, "error" in errors) == (0, False), errors
    assert json.loads(report.read_text())["results"]


def test_a_full_stdout_is_an_error_and_the_report_is_written(
    command: list[str], artifact: Path, image_folder: Path, tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    with Path("/dev/full").open("w") as full:
        code, errors = start(
            command, "bench", artifact, image_folder, *BENCH, "--json", report, stdout=full
        )
    assert code == 1
    assert "error: stdout: cannot write there: No space left on device\n" in errors
    assert json.loads(report.read_text())["results"]


@pytest.mark.parametrize("words", [["--help"], ["--version"]])
def test_a_full_stdout_is_an_error_of_help_too(command: list[str], words: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        code, errors = start(command, *words, stdout=full)
    assert code == 1
    assert errors.startswith("error: stdout: cannot write there: No space left on device\n")


def test_a_closed_stdout_takes_everything(command: list[str]) -> None:
    code, errors = start(["sh", "-c", 'exec "$@" >&-', "sh", *command], "--help")
    assert (code, errors) == (0, "")


@pytest.mark.parametrize("kind", ["a folder", "a device or a pipe"])
def test_a_target_that_is_no_file_is_refused_before_the_work(
    command: list[str], kind: str, image_folder: Path, tmp_path: Path
) -> None:
    target = tmp_path / "target"
    target.mkdir() if kind == "a folder" else os.mkfifo(target)
    code, errors = start(command, "bench", "none.pt", image_folder, "--json", target)
    assert code == 1
    assert errors.splitlines() == [
        f"error: {target}: cannot write there: expected a file, got {kind}",
        "  hint: name another file",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["target"]


def test_a_report_is_not_written_over_an_input(
    command: list[str], artifact: Path, image_folder: Path, tmp_path: Path
) -> None:
    copied = tmp_path / artifact.name
    copied.write_bytes(artifact.read_bytes())
    code, errors = start(command, "bench", copied, image_folder, "--json", copied)
    assert code == 1
    assert errors.splitlines() == [
        f"error: {copied}: cannot write there: expected a new file or one of its kind, got another",
        "  hint: name another file",
    ]
    assert copied.read_bytes() == artifact.read_bytes()


def test_what_is_skipped_is_said_at_once(
    command: list[str], artifact: Path, image_folder: Path, tmp_path: Path
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "0.jpg").write_text("no picture")
    for number in range(1, 1000):  # whose lines fill a pipe that nobody reads
        (photos / f"{number}.jpg").symlink_to(image_folder / "image_0.jpg")
    words = [*command, "run", str(artifact), str(photos), "--json", "-"]
    with (
        (tmp_path / "errors").open("w") as errors,
        subprocess.Popen(words, stdout=subprocess.PIPE, stderr=errors) as running,
    ):
        end = time.monotonic() + 60
        while "skipped" not in (tmp_path / "errors").read_text() and time.monotonic() < end:
            assert running.poll() is None
            time.sleep(0.02)
        assert f"skipped {photos}/0.jpg: " in (tmp_path / "errors").read_text()
        running.kill()


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs a folder that nobody can write to")
def test_a_folder_that_cannot_be_written_is_found_before_the_work(
    command: list[str], image_folder: Path
) -> None:
    code, errors = start(command, "bench", "none.pt", image_folder, "--json", "/proc/report.json")
    assert code == 1
    assert errors.startswith("error: /proc/report.json: cannot write there: No such file")


@pytest.mark.parametrize("output", [".", "../photos", "../link"])
def test_label_maps_never_lie_among_the_images(
    command: list[str], output: str, image_folder: Path, tmp_path: Path
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for image in image_folder.iterdir():
        (photos / image.name).write_bytes(image.read_bytes())
    (tmp_path / "link").symlink_to(photos)
    before = sorted(photos.iterdir())
    code, errors = start(command, "run", "none.pt", photos, "-o", output, cwd=photos)
    assert code == 1
    assert errors.splitlines() == [
        f"error: {output}: expected an output folder that is not one of the input folders",
        "  hint: name another folder for the output",
    ]
    assert sorted(photos.iterdir()) == before


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("one.png", "expected a folder for results, got an image's name"),
        ("notes.md", "cannot be made a folder: File exists"),
    ],
)
def test_what_is_no_folder_is_told_alike(
    command: list[str], artifact: Path, image_folder: Path, tmp_path: Path, name: str, problem: str
) -> None:
    (tmp_path / "notes.md").touch()
    image = image_folder / "image_0.jpg"
    code, errors = start(command, "run", artifact, image, "-o", name, cwd=tmp_path)
    assert (code, errors.splitlines()[0]) == (1, f"error: {name}: {problem}")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.md"]


def test_a_folder_of_folders_is_told_alike(
    command: list[str], artifact: Path, image_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "day").symlink_to(image_folder)  # no folder: it may lead in a circle
    (tmp_path / "night").mkdir()
    (tmp_path / "night" / "a.jpg").write_bytes((image_folder / "image_0.jpg").read_bytes())
    code, errors = start(command, "bench", artifact, tmp_path)
    cure = f"name one inside it, as {tmp_path / 'night'}; `run` takes them all with --recursive"
    assert (code, errors.splitlines()[1]) == (1, f"  hint: {cure}")


def test_the_label_map_of_one_file_may_lie_beside_it(
    command: list[str], artifact: Path, image_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "a.jpg").write_bytes((image_folder / "image_0.jpg").read_bytes())
    code, errors = start(command, "run", artifact, "a.jpg", "-o", ".", cwd=tmp_path)
    assert code == 0, errors
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jpg", "a.png"]
