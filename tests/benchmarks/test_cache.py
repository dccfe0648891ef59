"""What is built is built once for each recipe and each state of the sources."""

from pathlib import Path

import pytest

from benchmarks.bench import cache
from tests.conftest import small_recipe


@pytest.fixture
def builds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were built; a build writes the recipe's name."""
    made: list[Path] = []

    def build(recipe, path: Path, progress: object) -> Path:
        path.write_text(recipe.name)
        made.append(path)
        return path

    monkeypatch.setattr(cache, "FOLDER", tmp_path)
    monkeypatch.setattr(cache, "build", build)
    return made


def test_a_recipe_is_built_once(builds: list[Path]) -> None:
    recipe = small_recipe()
    first = cache.built(recipe, "a row")
    assert cache.built(recipe, "another row of the same model") == first
    assert cache.built(recipe.full_token()) != first
    assert len(builds) == 2


def test_another_state_of_the_sources_has_files_of_its_own(
    builds: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = cache.built(small_recipe())
    monkeypatch.setattr(cache, "versions", lambda: {"torch": "another"})
    assert cache.built(small_recipe()).parent != first.parent
