"""The native library as Python calls it: where it is found, and what it refuses."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch
from torch import Tensor

import mpm_deploy.ops
from mpm_deploy.errors import InputError, MissingPackageError
from mpm_deploy.ops.label_map import native
from tests.ops.label_map.scores_made import random_scores


def require_native() -> None:
    """Skips where there is no native library, unless MPM_REQUIRE_CPP is set."""
    if not native.available():
        missing = "the native library is not built: install mpm-deploy where there is a compiler"
        (pytest.fail if os.environ.get("MPM_REQUIRE_CPP") else pytest.skip)(missing)


@pytest.fixture
def no_library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(mpm_deploy.ops, "__path__", [str(tmp_path)])
    native._load.cache_clear()
    yield
    native._load.cache_clear()


def test_the_library_is_found_in_any_folder_of_the_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    library = tmp_path / "installed" / "libmpm_kernels.so"
    library.parent.mkdir()
    library.touch()
    monkeypatch.setattr(mpm_deploy.ops, "__path__", [str(tmp_path), str(library.parent)])
    assert native.find_library() == library


@pytest.mark.usefixtures("no_library")
def test_no_library_is_said_with_a_cure() -> None:
    assert native.find_library() is None
    assert not native.available()
    with pytest.raises(MissingPackageError, match=r"C\+\+ compiler"):
        native.label_map(random_scores(1, 2, 3, 3), (5, 5))


@pytest.mark.usefixtures("no_library")
def test_a_library_that_cannot_be_loaded_is_none(tmp_path: Path) -> None:
    (tmp_path / "libmpm_kernels.so").write_text("not machine code")
    assert native.find_library() is not None
    assert not native.available()


@pytest.mark.parametrize(
    ("scores", "size"),
    [
        (torch.zeros(2, 3, 3), (5, 5)),
        (torch.zeros(1, 2, 3, 3, dtype=torch.float64), (5, 5)),
        (torch.zeros(1, 2, 3, 3, device="meta"), (5, 5)),
        (torch.zeros(1, 0, 3, 3), (5, 5)),
        (torch.zeros(1, (1 << 15) + 1, 1, 1), (5, 5)),
        (torch.zeros(1, 2, 0, 3), (5, 5)),
        (torch.zeros(1, 2, 3, 3), (0, 5)),
        (torch.zeros(1, 2, 3, 3), (5, -1)),
        (torch.zeros(1, 2, 3, 3), (5, (1 << 20) + 1)),
    ],
)
def test_bad_input_is_refused(scores: Tensor, size: tuple[int, int]) -> None:
    require_native()
    with pytest.raises(InputError, match=r"expected .*got"):
        native.label_map(scores, size)


def test_threads_may_share_it() -> None:
    require_native()
    scores = random_scores(4, 60, 16, 16)
    expected = native.label_map(scores, (256, 256))
    labels: list[Tensor] = [torch.empty(0)] * len(scores)

    def label(image: int) -> None:
        for _ in range(20):
            labels[image] = native.label_map(scores[image : image + 1], (256, 256))

    threads = [threading.Thread(target=label, args=(image,)) for image in range(len(scores))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert torch.equal(torch.cat(labels), expected)


def test_the_default_device_does_not_matter() -> None:
    require_native()
    script = (
        "import torch; from mpm_deploy.ops.label_map import native;"
        "torch.set_default_device('meta');"
        "scores = torch.zeros(1, 3, 4, 4, device='cpu');"
        "assert native.label_map(scores, (64, 64)).sum() == 0"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
