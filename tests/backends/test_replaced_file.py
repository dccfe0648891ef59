"""A file that is replaced while it is being opened: nothing runs that was not checked."""

import gc
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mpm_deploy import Runner, backends
from mpm_deploy.artifact import archive, read_manifest
from mpm_deploy.errors import ArtifactError
from mpm_deploy.recipe import Recipe
from tests.conftest import built_once, small_recipe
from tests.support.opened import loaded

FRAME = np.arange(50 * 70 * 3, dtype=np.uint8).reshape(50, 70, 3)

Replace = Callable[[Path, Path], object]


def by_another_name(new: Path, path: Path) -> None:
    new.rename(path)


def written_over(new: Path, path: Path) -> None:
    path.write_bytes(new.read_bytes())


@pytest.fixture
def file(recipe_and_artifact: tuple[Recipe, Path], tmp_path: Path) -> Path:
    _, artifact = recipe_and_artifact
    return Path(shutil.copy(artifact, tmp_path))


@pytest.fixture
def other(recipe_and_artifact: tuple[Recipe, Path], shared_folder: Path, tmp_path: Path) -> Path:
    """Another model of the same backend."""
    recipe, artifact = recipe_and_artifact
    name = f"other_{artifact.name}"
    built = built_once(small_recipe(recipe.name).full_token(), shared_folder / name)
    return Path(shutil.copy(built, tmp_path / name))


@pytest.mark.parametrize("replace", [by_another_name, written_over])
def test_what_is_opened_is_what_was_checked(
    file: Path, other: Path, replace: Replace, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Path(shutil.copy(file, file.with_stem("kept")))
    checked = backends.read_claimed_manifest

    def read_and_replace(*arguments: object) -> object:
        manifest = checked(*arguments)
        replace(other, file)
        return manifest

    with monkeypatch.context() as patch:
        patch.setattr(backends, "read_claimed_manifest", read_and_replace)
        with pytest.raises(ArtifactError, match="changed since it was built: its hash differs"):
            Runner(file, threads=1)
    with Runner(kept, threads=1) as good, Runner(file, threads=1) as another:
        assert loaded(good) is not loaded(another)
        assert good.check_sample() == another.check_sample() == 1


@pytest.mark.parametrize("replace", [by_another_name, written_over])
def test_what_was_checked_is_what_is_opened(
    file: Path, other: Path, replace: Replace, monkeypatch: pytest.MonkeyPatch
) -> None:
    gc.collect()  # nobody has it open
    check = archive._Archive.check_payload

    def check_and_replace(*arguments: object) -> None:
        check(*arguments)
        replace(other, file)

    with monkeypatch.context() as patch:
        patch.setattr(archive._Archive, "check_payload", check_and_replace)
        runner = Runner(file, threads=1)
    with runner:
        assert read_manifest(file).merge.blocks == ()
        assert len(runner(FRAME).tokens_kept) == len(runner.manifest.merge.blocks) > 0


def test_a_file_is_checked_also_where_its_payload_is_open(file: Path) -> None:
    with Runner(file, threads=1):
        changed = file.with_stem("changed")
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 1
        changed.write_bytes(data)
        with pytest.raises(ArtifactError, match=r"damaged|its hash differs"):
            Runner(changed, threads=1)
