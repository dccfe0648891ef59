"""The C library as others use it: installed, found by pkg-config, called from C and from Rust.

The programs are those of ``docs/guides/c.md``.
"""

import io
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mpm_deploy import Runner
from tests.parity.conftest import ROOT

Program = Callable[..., "subprocess.CompletedProcess[bytes]"]

GUIDE = (ROOT / "docs" / "guides" / "c.md").read_text(encoding="utf-8")
STRICT = "-std=c11 -Wall -Wextra -pedantic -Werror"


def run(*command: object, **environment: str) -> str:
    answer = subprocess.run(
        [*map(str, command)], env=os.environ | environment, capture_output=True, text=True
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout


def line_of_the_guide(compiler: str) -> str:
    (line,) = re.findall(rf"^    ({compiler} .*)$", GUIDE, re.MULTILINE)
    return line


def compiled(compiler: str, sources: dict[str, str], prefix: Path, folder: Path) -> None:
    """Compiles programs as the guide does, against what lies under a prefix."""
    (first,) = re.findall(r"segment\.\w+", line := line_of_the_guide(compiler))
    for name, source in sources.items():
        (folder / name).write_text(source, encoding="utf-8")
        stem = Path(first).stem
        command = line.replace(first, name).replace(f"-o {stem}", f"-o {Path(name).stem}")
        run(
            *("bash", "-c", f"cd {folder} && {command.replace('-std=c11', STRICT)}"),
            PREFIX=str(prefix),
            PKG_CONFIG_PATH=f"{prefix}/lib/pkgconfig",
        )


def program(path: Path) -> Program:
    def start(*arguments: object) -> "subprocess.CompletedProcess[bytes]":
        command = [path, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, timeout=300, check=False)

    return start


def label_map(answer: "subprocess.CompletedProcess[bytes]") -> np.ndarray:
    assert answer.returncode == 0, answer.stderr
    with Image.open(io.BytesIO(answer.stdout)) as picture:
        return np.asarray(picture)


def assert_labels_are_the_runners(segment: Program, artifact: Path, images: Path) -> None:
    with Runner(artifact) as runner:
        for image in sorted(images.iterdir()):
            assert np.array_equal(label_map(segment(artifact, image)), runner(image).labels), image


@pytest.fixture(scope="module")
def installed(cpp_command: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    prefix = tmp_path_factory.mktemp("installed")
    run("cmake", "--install", Path(cpp_command[0]).parent, "--prefix", prefix)
    return prefix


@pytest.fixture(scope="module")
def in_c(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Program]:
    """The programs in C of the guide."""
    folder = tmp_path_factory.mktemp("c")
    sources = re.findall(r"```c\n(.*?)```", GUIDE, re.DOTALL)
    names = ("segment", "many", "watch")
    compiled("gcc", dict(zip((f"{n}.c" for n in names), sources, strict=True)), installed, folder)
    return {name: program(folder / name) for name in names}


@pytest.fixture(scope="module")
def in_rust(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Program:
    if shutil.which("rustc") is None:
        pytest.skip("no rustc: apt-get install rustc")
    folder = tmp_path_factory.mktemp("rust")
    (source,) = re.findall(r"```rust\n(.*?)```", GUIDE, re.DOTALL)
    compiled("rustc", {"segment.rs": source}, installed, folder)
    return program(folder / "segment-rs")


def test_c_gives_the_label_maps_of_both_runners(
    in_c, built, image_folder, cpp_runner, tmp_path
) -> None:
    assert_labels_are_the_runners(in_c["segment"], built, image_folder)
    answer = cpp_runner("run", built, image_folder, "--output", tmp_path)
    assert answer.returncode == 0, answer.stderr
    for image in sorted(image_folder.iterdir()):
        with Image.open(tmp_path / f"{image.stem}.png") as picture:
            expected = np.asarray(picture)
        assert np.array_equal(label_map(in_c["segment"](built, image)), expected), image


def test_rust_gives_the_same(in_rust, artifact, image_folder) -> None:
    assert_labels_are_the_runners(in_rust, artifact, image_folder)


def test_many_images_go_on_after_one_that_is_broken(in_c, artifact, image_folder, tmp_path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_text("no picture")
    images = sorted(image_folder.iterdir())
    answer = in_c["many"](artifact, *images[:2], broken, *images[2:])
    assert answer.returncode == 0, answer.stderr
    lines = answer.stdout.decode().splitlines()
    assert len(lines) == len(images) + 2
    assert lines[2] == f"skipped {broken}: not a JPEG or PNG file"
    assert lines[0].startswith("64 x 96, tokens kept: ")
    assert lines[-1].startswith("480 x 640, tokens kept: ")


def test_a_video_gives_the_frames_of_the_program(
    in_c, artifact, cpp_video_command, cpp_runner, tmp_path
) -> None:
    pytest.importorskip("av", reason="PyAV, which makes the clip, is not installed")
    from tests.run.sources.clips_made import pictures, write_clip

    clip = tmp_path / "clip.mkv"
    write_clip(clip, list(pictures(4)), times=[0, 0.04, 0.1, 0.5])
    answer = in_c["watch"](artifact, clip)
    assert answer.returncode == 0, answer.stderr
    assert answer.stderr == b"0 frames dropped\n"
    head, *frames, _ = map(
        json.loads, cpp_runner("run", artifact, clip, "--json", "-").stdout.splitlines()
    )
    assert answer.stdout.decode().splitlines() == [
        f"frame {frame['index']}, {frame['time']:.3f} s: "
        f"{100 * frame['shares'][0]:.1f} % {head['classes'][0]}"
        for frame in frames
    ]
    missing = in_c["watch"](artifact, tmp_path / "none.mp4")
    assert missing.returncode == 1
    assert missing.stderr.startswith(f"error: {tmp_path}/none.mp4: no such file".encode())


def test_errors_are_those_of_the_program(
    in_c, broken_artifacts, broken_folder, image_folder, artifact, cpp_runner, tmp_path
) -> None:
    image = sorted(image_folder.iterdir())[0]
    for path in (broken_artifacts[name] for name in ("truncated", "newer", "missing")):
        theirs = cpp_runner("run", path, image, "--output", tmp_path / "out")
        ours = in_c["segment"](path, image)
        assert ours.returncode == theirs.returncode == 1
        assert ours.stderr.decode() == theirs.stderr
    ours = in_c["segment"](artifact, broken_folder / "bomb.png")
    assert ours.returncode == 1
    assert b"40000 x 40000 pixels, more than" in ours.stderr
    assert b"hint: scale the image down first" in ours.stderr


def test_the_library_shows_what_the_header_declares_and_no_more(installed) -> None:
    header = (installed / "include" / "mpm_runner" / "mpm.h").read_text()
    library = installed / "lib" / "libmpm_runner.so.1"
    shown = run("nm", "-D", "--defined-only", library)
    assert {line.split()[-1] for line in shown.splitlines()} == {
        *re.findall(r"^[\w* ]+\b(mpm_\w+)\(", header, re.MULTILINE)
    }
    assert "[libmpm_runner.so.1]" in run("readelf", "-d", library)


@pytest.mark.skipif(
    not all(map(shutil.which, ("cpack", "dpkg", "dpkg-shlibdeps", "file"))),
    reason="a Debian package is made with cpack, dpkg-dev and file",
)
def test_a_debian_package_runs(cpp_command, artifact, image_folder, tmp_path) -> None:
    config = Path(cpp_command[0]).parent / "CPackConfig.cmake"
    run("cpack", "-G", "DEB", "--config", config, "-B", tmp_path)
    (package,) = tmp_path.glob("*.deb")
    needed = run("dpkg", "--field", package, "Depends")
    assert {"libc6", "libpng16-16", "libssl3"} <= set(re.findall(r"[\w.-]+", needed))
    assert "libavdevice" not in needed  # it is of cameras alone, and opened with the first one
    run("dpkg", "--extract", package, tmp_path / "unpacked")
    prefix = tmp_path / "unpacked" / "usr"
    answer = run(prefix / "bin" / "cpp_runner", "run", artifact, image_folder, "-o", tmp_path / "o")
    assert answer == ""
    segment, *_ = re.findall(r"```c\n(.*?)```", GUIDE, re.DOTALL)
    compiled("gcc", {"segment.c": segment}, prefix, tmp_path)
    assert_labels_are_the_runners(program(tmp_path / "segment"), artifact, image_folder)
