"""A file that cannot be written is an error, where torch's own writer aborts the process."""

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from mpm_deploy.builder.model import make_model
from tests.conftest import small_recipe


@pytest.fixture
def small_files() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))  # less than any model's
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_file_that_grows_past_its_limit_is_an_error(small_files: None, tmp_path: Path) -> None:
    recipe = small_recipe()
    model, _ = make_model(recipe)
    with pytest.raises(OSError, match="File too large"):
        recipe.backend.member.compile(model, recipe, tmp_path / "segmenter.pt")
