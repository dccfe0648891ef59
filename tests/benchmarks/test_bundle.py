"""What a rented GPU is given holds what runs there, and stays small enough to be carried."""

import subprocess
import tarfile
from pathlib import Path

import pytest

from benchmarks.gpu import bundle
from benchmarks.record import ROOT


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not (ROOT / ".git").exists():
        pytest.skip("the sources are no clone")
    archive = tmp_path_factory.mktemp("bundle") / "source.tar.gz"
    bundle.write_source(archive)
    return archive


def test_sources_fit_beside_packages_and_libraries(source: Path) -> None:
    """These take some 6 MiB, so new weights or pictures among the sources show here first."""
    assert source.stat().st_size < bundle.LARGEST / 2


def test_all_that_steps_name_is_there(source: Path) -> None:
    with tarfile.open(source) as archive:
        names = set(archive.getnames())
    assert {
        "CMakeLists.txt",
        "benchmarks/gpu/launch.py",
        "examples/scenes/make_dataset.py",
        "examples/scenes/street/__init__.py",
        "examples/scenes/train.py",
        "recipes/h100_bf16.toml",
        "tests/backends/test_cuda.py",
        "tests/ops/test_cuda.py",
    } <= names


def test_a_record_that_is_not_committed_replaces_the_one_that_is(tmp_path: Path) -> None:
    root = tmp_path / "clone"
    record = root / "benchmarks" / "results" / "h100-a-gpu.json"
    record.parent.mkdir(parents=True)
    record.write_text("old")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]
    for command in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "-m", "A record"]):
        subprocess.run([*git, *command], cwd=root, check=True)
    record.write_text("new")

    bundle.write_source(tmp_path / "source.tar.gz", root)

    with tarfile.open(tmp_path / "source.tar.gz") as archive:
        archive.extractall(tmp_path / "there", filter="data")
    there = tmp_path / "there" / record.relative_to(root)
    assert there.read_text() == "new"
