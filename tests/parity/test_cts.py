"""A model that shares tokens: both programs keep as many, and write the same label maps."""

import json
from pathlib import Path

import pytest

from mpm_deploy.backends import get_backend
from tests.conftest import built_once, cpu_recipes, small_recipe
from tests.parity.conftest import Run
from tests.parity.test_label_maps import assert_same_scores, label_maps

SHARED = 3


@pytest.fixture(scope="module", params=cpu_recipes(quick=("cpu_portable_fp32",)))
def sharing(request: pytest.FixtureRequest, shared_folder: Path) -> Path:
    """A small artifact of each recipe for a CPU, which shares and then merges."""
    recipe = small_recipe(request.param).override(
        "merge.method=cts", "merge.blocks=[0,2]", f"merge.shared={SHARED}"
    )
    suffix = get_backend(recipe.backend.name).suffix
    return built_once(recipe, shared_folder / f"cts_{recipe.name}{suffix}")


def tokens_kept(report: Path) -> list[dict[str, float]]:
    return [each["tokens_kept"] for each in json.loads(report.read_text())["results"]]


def test_both_programs_write_the_same_label_maps(
    sharing: Path, image_folder: Path, cpp_runner: Run, mpm_deploy: Run, tmp_path: Path
) -> None:
    ours, theirs = tmp_path / "p", tmp_path / "c"
    answer = mpm_deploy("run", sharing, image_folder, "-o", ours, "--batch", 4, "--scores")
    assert answer.returncode == 0, answer.stderr
    answer = cpp_runner("run", sharing, image_folder, "--output", theirs, "--scores")
    assert answer.returncode == 0, answer.stderr
    assert_same_scores(ours, theirs)
    python, cpp = label_maps(ours), label_maps(theirs)
    assert python.keys() == cpp.keys() and len(python) == 5
    for name, labels in python.items():
        assert (labels == cpp[name]).all(), name


def test_both_programs_count_the_same_tokens(
    sharing: Path, image_folder: Path, cpp_runner: Run, mpm_deploy: Run, tmp_path: Path
) -> None:
    ours, theirs = tmp_path / "p.json", tmp_path / "c.json"
    answer = mpm_deploy("bench", sharing, image_folder, "--batch", 1, "--json", ours)
    assert answer.returncode == 0, answer.stderr
    answer = cpp_runner("bench", sharing, image_folder, "--batch", 1, "--json", theirs)
    assert answer.returncode == 0, answer.stderr
    assert tokens_kept(ours) == tokens_kept(theirs)
    (kept,) = tokens_kept(ours)
    assert kept["mean"][0] == 24 - 3 * SHARED > kept["mean"][1]
