"""Both programs, every recipe for a CPU; scenes, and files that are odd or broken."""

import json
import os
import struct
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mpm_deploy.recipe import Recipe
from tests.support.imported_program import run_imported

ROOT = Path(__file__).parent.parent.parent
CPP_RUNNER = Path(os.environ.get("MPM_CPP_RUNNER", ROOT / "build" / "cpp_runner"))

Run = Callable[..., "subprocess.CompletedProcess[str]"]


PYTHON = [sys.executable, "-m", "mpm_deploy.cli"]


@pytest.fixture(scope="session")
def cpp_command() -> list[str]:
    """The C++ program; a build that has none skips, unless MPM_REQUIRE_CPP is set."""
    if not CPP_RUNNER.exists():
        missing = f"{CPP_RUNNER} is not built: make cpp"
        (pytest.fail if os.environ.get("MPM_REQUIRE_CPP") else pytest.skip)(missing)
    return [str(CPP_RUNNER)]


@pytest.fixture(scope="session")
def cpp_video_command(cpp_command: list[str]) -> list[str]:
    """The C++ program; one without FFmpeg's libraries skips, and says so."""
    answer = subprocess.run([*cpp_command, "run", "a.pt", "a.mp4"], capture_output=True, text=True)
    if "built without videos" in answer.stderr:
        pytest.skip("build/cpp_runner is built without FFmpeg's libraries")
    return cpp_command


@pytest.fixture(params=["python", "cpp"])
def command(request: pytest.FixtureRequest) -> list[str]:
    """Either program, to start it in a way of the test's own."""
    return PYTHON if request.param == "python" else request.getfixturevalue("cpp_command")


@pytest.fixture(scope="session")
def cpp_runner(cpp_command: list[str]) -> Run:
    """Runs the C++ program."""
    return program(*cpp_command)


@pytest.fixture(scope="session")
def mpm_deploy() -> Run:
    """Runs the Python program; see `imported_program`."""
    return run_imported


def program(*command: str) -> Run:
    def run(*arguments: object) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*command, *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def built(recipe_and_artifact: tuple[Recipe, Path]) -> Path:
    """A small artifact of each recipe for a CPU, but of backends that the C++ program lacks."""
    recipe, artifact = recipe_and_artifact
    if recipe.backend.name == "onnxruntime" and CPP_RUNNER.exists():
        skip_without_onnxruntime(artifact)
    return artifact


def skip_without_onnxruntime(artifact: Path) -> None:
    """Skip where the C++ program was built without ONNX Runtime's headers, and says so."""
    if lacks_onnxruntime(artifact):
        pytest.skip("build/cpp_runner is built without ONNX Runtime's headers")


@cache
def lacks_onnxruntime(artifact: Path) -> bool:
    """Tell whether the C++ program refuses a file for that on a CPU, asked for one pixel."""
    with tempfile.TemporaryDirectory() as folder:
        Image.new("RGB", (1, 1)).save(Path(folder, "pixel.png"))
        command = [str(CPP_RUNNER), "run", str(artifact), folder, "--output", f"{folder}/labels"]
        command += ["--device", "cpu"]
        answer = subprocess.run(command, capture_output=True, text=True)
    refused = "built without ONNX Runtime" in answer.stderr
    assert refused or answer.returncode == 0, answer.stderr
    return refused


def smooth(height: int, width: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    """A picture with colors that change slowly, ``(height, width, channels)`` uint8."""
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 256, (5, 5, channels), dtype=np.uint8)
    planes = [
        np.asarray(
            Image.fromarray(coarse[..., c]).resize((width, height), Image.Resampling.BICUBIC)
        )
        for c in range(channels)
    ]
    return np.stack(planes, axis=-1)


@pytest.fixture(scope="session")
def odd_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every kind of file that is no ordinary one, and can be read all the same."""
    folder = tmp_path_factory.mktemp("odd")
    color = Image.fromarray(smooth(90, 130))
    gray = Image.fromarray(smooth(90, 130, 1)[..., 0])
    color.save(folder / "plain.jpg", quality=92)
    gray.save(folder / "gray.jpg")
    gray.save(folder / "gray.png")
    gray.point(lambda value: value >> 7 << 7).convert("1").save(folder / "one_bit.png")
    color.quantize(16).save(folder / "palette.png", transparency=3)
    Image.fromarray(smooth(70, 50, 4), "RGBA").save(folder / "rgba.png")
    Image.fromarray(smooth(70, 50, 2), "LA").save(folder / "gray_alpha.png")
    Image.fromarray(smooth(80, 60, 4), "CMYK").save(folder / "cmyk.jpg", quality=95)
    write_16_bit(folder / "sixteen_bit.png", smooth(60, 90))
    Image.fromarray(smooth(60, 90, 1)[..., 0].astype(np.uint16) * 257).save(folder / "gray16.png")
    color.save(folder / "progressive.jpg", progressive=True, subsampling="4:2:0")
    color.save(folder / "subsampled.jpeg", subsampling="4:2:2")
    for name in ("plain.jpg", "progressive.jpg"):
        (folder / f"no_end_{name}").write_bytes((folder / name).read_bytes()[:-2])
    Image.fromarray(smooth(701, 37)).save(folder / "tall.png")
    Image.fromarray(smooth(37, 701)).save(folder / "WIDE.JPG")
    Image.fromarray(smooth(1, 1)).save(folder / "dot.png")
    color.save(folder / "named_wrong.png", format="JPEG")
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        color.save(folder / f"turned_{orientation}.jpg", exif=exif)
    color.save(folder / "turned.png", exif=exif)
    return folder


def write_16_bit(path: Path, pixels: np.ndarray) -> None:
    """An RGB PNG of 16 bits: Pillow writes none. The low byte is noise."""
    low = np.random.default_rng(0).integers(0, 256, pixels.shape, dtype=np.uint8)
    samples = np.stack([pixels, low], axis=-1)  # (height, width, 3, 2), high byte first
    rows = b"".join(b"\0" + row.tobytes() for row in samples)
    header = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 16, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks))


def chunk(name: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + name
        + content
        + struct.pack(">I", zlib.crc32(name + content))
    )


@pytest.fixture(scope="session")
def broken_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three good images among files that cannot be read."""
    folder = tmp_path_factory.mktemp("broken")
    for index in range(3):
        Image.fromarray(smooth(64, 96, seed=index)).save(folder / f"good_{index}.png")
    jpeg, whole = folder / "truncated.jpg", folder / "whole.tmp"
    Image.fromarray(smooth(200, 200)).save(whole, format="JPEG")
    jpeg.write_bytes(whole.read_bytes()[:-500])
    (folder / "cut_before_its_end.jpg").write_bytes(jpeg.read_bytes() + b"\xff\xd9")
    whole.unlink()
    (folder / "empty.png").touch()
    (folder / "text.png").write_text("not a picture")
    header = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0)
    bomb = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000)))
    (folder / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bomb + chunk(b"IEND", b""))
    (folder / "unreadable.jpg").symlink_to(folder / "nowhere.jpg")
    return folder


@pytest.fixture
def broken_artifacts(built: Path, tmp_path: Path) -> dict[str, Path]:
    """An artifact in every state in which it must be refused."""
    content = built.read_bytes()
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 4
    made = {"truncated": content[:-1000], "flipped": bytes(flipped), "empty": b"", "text": b"text"}
    paths = {name: tmp_path / f"{name}{built.suffix}" for name in made}
    for name, path in paths.items():
        path.write_bytes(made[name])
    paths["missing"] = tmp_path / f"missing{built.suffix}"
    paths["foreign"] = tmp_path / f"foreign{built.suffix}"
    with zipfile.ZipFile(paths["foreign"], "w") as foreign:
        foreign.writestr("foreign/data.pkl", b"")
    changes: dict[str, Callable[[dict], object]] = {
        "newer": lambda manifest: manifest.update(format="mpm-artifact/3"),
        "other_machine": lambda manifest: manifest["requires"].update(machine="riscv64"),
        "other_cpu": lambda manifest: manifest["requires"].update(cpu_isa=["tensor9000"]),
    }
    for name, change in changes.items():
        paths[name] = tmp_path / f"{name}{built.suffix}"
        with_manifest(built, paths[name], change)
    return paths


def with_manifest(source: Path, target: Path, change: Callable[[dict], object]) -> None:
    """A copy of an artifact with ``change`` done to its manifest."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for info in old.infolist():
            content = old.read(info)
            if info.filename.endswith("mpm_manifest.json"):
                manifest = json.loads(content)
                change(manifest)
                content = json.dumps(manifest).encode()
            new.writestr(info, content)
