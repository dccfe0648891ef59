"""Families: members are found by their names, and a new one touches no line but its own.

A toy member of each family comes as another package would bring it, by entry points. The programs
then build, read, run, time, evaluate and report with it.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mpm_deploy import families
from mpm_deploy.errors import InputError
from mpm_deploy.support.family import Family
from tests.support.toy_members import Stretches, write_ppm

ROOT = Path(__file__).parent.parent
FAMILIES = [value for value in vars(families).values() if isinstance(value, Family)]

# One line for each: all that a member needs besides itself.
ENTRY_POINTS = """
[mpm_deploy.reductions]
stretches = tests.support.toy_members:Stretches
[mpm_deploy.heads]
fine = tests.support.toy_members:FineHead
[mpm_deploy.encoders]
toys = tests.support.toy_members:ToyEncoders
[mpm_deploy.backends]
toy = tests.support.toy_members:ToyBackend
[mpm_deploy.datasets]
toy = tests.support.toy_members:ToyDataset
[mpm_deploy.image_formats]
PPM = tests.support.toy_members:PPM
[mpm_deploy.sources]
toy = tests.support.toy_members:ToySource
[mpm_deploy.commands]
word = tests.support.toy_members:COMMAND
"""
RECIPE = """
[model]
backbone = "toy_patch16"
depth = 2
head = "fine"
bias = false
weights = "random"
image_size = [64, 96]
classes = 3
[merge]
method = "stretches"
blocks = [1]
stride = 3
[backend]
name = "toy"
word = "hello"
"""

Run = Callable[..., str]


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_every_member_is_where_its_line_says(family: Family) -> None:
    assert len(family) >= len(family.places) > 0
    for name in family:
        assert family.find(name) is family[name] is not None


def test_a_member_that_is_not_there_is_an_error_that_names_the_others() -> None:
    with pytest.raises(InputError) as caught:
        families.REDUCTIONS.find("tme")
    assert "merge method 'tme': expected one of mpm, tome, algm" in caught.value.problem
    assert caught.value.hint == "did you mean 'tome'?"


def test_a_program_may_add_a_member() -> None:
    families.REDUCTIONS.add("stretches", Stretches)
    try:
        assert families.REDUCTIONS["stretches"]().stride == 2
        with pytest.raises(InputError, match="there is one of that name"):
            families.REDUCTIONS.add("stretches", Stretches)
    finally:
        families.REDUCTIONS.remove("stretches")
    assert "stretches" not in families.REDUCTIONS


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the toys' package as pip leaves it, a recipe, and images with labels."""
    folder = tmp_path_factory.mktemp("toys")
    about = folder / "toys-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: toys\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(ENTRY_POINTS)
    (folder / "mine.toml").write_text(RECIPE)
    images = folder / "images"
    images.mkdir()
    (images / "toy.txt").touch()
    generator = np.random.default_rng(0)
    for name in ("a", "b", "c"):
        write_ppm(images / f"{name}.ppm", generator.integers(0, 256, (50, 70, 3), dtype=np.uint8))
        labels = generator.integers(0, 3, (50, 70), dtype=np.uint8)
        Image.fromarray(labels).save(images / f"{name}.png")
    return folder


@pytest.fixture(scope="module")
def run(toys: Path) -> Run:
    """Runs a command of `mpm-deploy` where the toys are installed, and returns what it says."""
    path = os.pathsep.join([str(toys), str(ROOT)])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}

    def run(*arguments: object) -> str:
        command = [sys.executable, "-m", "mpm_deploy.cli", *map(str, arguments)]
        answer = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT)
        assert answer.returncode == 0, answer.stderr
        return answer.stdout

    return run


@pytest.fixture(scope="module")
def built(toys: Path, run: Run) -> Path:
    target = toys / "toy.toy"
    run("build", "--recipe", toys / "mine.toml", "-o", target)
    return target


def test_an_artifact_of_toys_is_read(built: Path, run: Run) -> None:
    manifest = json.loads(run("inspect", built, "--json"))
    assert manifest["model"]["name"] == "toy_patch16+fine"
    assert manifest["merge"]["place"] == "after_attention"
    assert manifest["merge"]["options"] == {"stride": 3}
    assert manifest["requires"]["backend"] == "toy"
    assert manifest["requires"]["versions"]["toy"] == "hello"
    shapes = {output["name"]: output["shape"] for output in manifest["outputs"]}
    assert shapes == {"scores": [3, 8, 12], "merge_maps": [1, 24]}
    assert manifest["recipe"]["model"]["depth"] == 2  # an option of the backbone
    assert "stretches inside block 1" in run("inspect", built)


def test_it_runs_on_images_of_a_toy_format(built: Path, toys: Path, run: Run) -> None:
    run("run", built, toys / "images" / "a.ppm", "-o", toys / "label_maps")
    with Image.open(toys / "label_maps" / "a.png") as label_map:
        assert label_map.size == (70, 50)


def test_it_runs_on_a_toy_source(built: Path, run: Run) -> None:
    _, *frames, end = map(json.loads, run("run", built, "toy:3", "--json", "-").splitlines())
    assert [frame["time"] for frame in frames] == [0, 1, 2]
    assert end["images"] == 3


def test_it_is_timed_evaluated_and_reported(built: Path, toys: Path, run: Run) -> None:
    full = toys / "full.toy"
    run("build", "--recipe", toys / "mine.toml", "--full-token", "-o", full)
    evaluation, report = toys / "evaluation.json", toys / "report.json"
    run("eval", built, "toy", "--root", toys / "images", "--json", evaluation)
    assert json.loads(evaluation.read_text())["dataset"]["name"] == "toy"
    timing = ("--batch", "1", "--repeats", "1", "--limit", "2")
    run("bench", built, toys / "images", "--against", full, *timing, "--json", report)
    assert json.loads(report.read_text())["results"][0]["tokens_kept"]["mean"] == [8.0]
    run("report", report, evaluation, "-o", toys / "page.html")
    assert "stretches inside block 1" in (toys / "page.html").read_text()


def test_a_toy_command_is_one_of_them(run: Run) -> None:
    assert run("word", "--word", "hello") == "the word is hello\n"
    assert "say a word" in run("--help")
