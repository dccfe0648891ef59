"""What a Runner took of memory is given back when it is closed."""

import gc
from pathlib import Path

from mpm_deploy import Runner
from mpm_deploy.recipe import Recipe


def mapped() -> int:
    """How many mappings this process has."""
    gc.collect()
    return len(Path("/proc/self/maps").read_text().splitlines())


def resident() -> int:
    """How many pages of memory this process has."""
    return int(Path("/proc/self/statm").read_text().split()[1])


def test_opening_again_and_again_takes_no_more(
    recipe_and_artifact: tuple[Recipe, Path], image_folder: Path
) -> None:
    _, artifact = recipe_and_artifact
    figures = []
    for _ in range(12):
        with Runner(artifact, threads=2) as runner:
            runner(image_folder / "image_0.jpg")
            list(runner.run(image_folder, batch_size=2))
        figures.append((mapped(), resident()))  # closed, and not yet dropped
    # The first ones take what stays: an arena of malloc each thread at once, code that is read.
    pages_of_file = artifact.stat().st_size >> 12
    settled, last = figures[7], figures[-1]
    assert last[0] - settled[0] < 12  # a library of an entry has 6
    assert last[1] - settled[1] < pages_of_file
