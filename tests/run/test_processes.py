"""A Runner and other processes: workers that were forked, and those that it is sent to."""

import multiprocessing
import pickle
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from mpm_deploy import errors
from mpm_deploy.errors import ArtifactError, InputError, MpmError
from mpm_deploy.run.runner import Runner
from mpm_deploy.support.family import OptionError

SECONDS = 100  # that a worker may take before it is taken for one that hangs
_inherited: list[Runner] = []


@contextmanager
def forks_accepted() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking where there are threads
        yield


def _labels_of_the_inherited(image: Path) -> np.ndarray:
    return _inherited[-1](image).labels


def labels_in_a_forked_pool(runner: Runner, images: list[Path]) -> list[np.ndarray]:
    fork = multiprocessing.get_context("fork")
    with forks_accepted(), fork.Pool(2, _inherited.append, (runner,)) as pool:
        return pool.map_async(_labels_of_the_inherited, images).get(SECONDS)


class LabelMaps(Dataset[Tensor]):
    """Label maps as a data set whose workers make them."""

    def __init__(self, runner: Runner, images: list[Path]) -> None:
        self._runner = runner
        self._images = images

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> Tensor:
        return torch.from_numpy(self._runner(self._images[index]).labels)


def labels_of_a_data_loader(runner: Runner, images: list[Path], start: str) -> list[np.ndarray]:
    options: Any = {"multiprocessing_context": start, "num_workers": 1, "timeout": SECONDS}
    with forks_accepted():
        loader = DataLoader(LabelMaps(runner, images), batch_size=None, **options)
        return [labels.numpy() for labels in loader]


@pytest.fixture
def images(image_folder: Path) -> list[Path]:
    return sorted(image_folder.iterdir())[:3]


@pytest.fixture
def expected(artifact: Path, images: list[Path]) -> list[np.ndarray]:
    with Runner(artifact) as runner:
        return [runner(image).labels for image in images]


def test_forked_workers_share_an_unused_runner(
    artifact: Path, images: list[Path], expected: list[np.ndarray]
) -> None:
    with Runner(artifact, threads=1) as runner:
        np.testing.assert_equal(labels_in_a_forked_pool(runner, images), expected)
        np.testing.assert_equal(labels_of_a_data_loader(runner, images, "fork"), expected)
        np.testing.assert_equal(runner(images[0]).labels, expected[0])


def test_forked_workers_say_that_a_runner_was_used(artifact: Path, images: list[Path]) -> None:
    with Runner(artifact, threads=1) as runner:
        runner(images[0])
        problem = f"{artifact}: this Runner was opened in another process"
        with pytest.raises(InputError, match=problem):
            labels_in_a_forked_pool(runner, images)
        with pytest.raises(InputError, match=problem):
            labels_of_a_data_loader(runner, images, "fork")


def test_started_workers_open_the_file_again(
    artifact: Path, images: list[Path], expected: list[np.ndarray]
) -> None:
    with Runner(artifact, threads=1) as runner:
        runner(images[0])  # also a used one
        np.testing.assert_equal(labels_of_a_data_loader(runner, images, "spawn"), expected)


def test_what_is_unpickled_has_the_arguments_of_what_was_pickled(
    artifact: Path, images: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(artifact.parent)
    with Runner(artifact.name, threads=2, workers=3, label_size="input", channels="bgr") as runner:
        pickled = pickle.dumps(runner)
        frame = np.arange(30 * 40 * 3, dtype=np.uint8).reshape(30, 40, 3)
        labels = runner(frame).labels
    monkeypatch.chdir(tmp_path)
    with pickle.loads(pickled) as again:
        assert (again.threads, again.workers) == (2, 3)
        np.testing.assert_equal(again(frame).labels, labels)


def test_a_file_that_is_gone_or_another_is_told(
    artifact: Path, full_token_artifact: Path, tmp_path: Path
) -> None:
    own = shutil.copy(artifact, tmp_path / "own.pt")
    with Runner(own) as runner:
        pickled = pickle.dumps(runner)
    shutil.copy(full_token_artifact, own)
    with pytest.raises(ArtifactError, match=r"own\.pt: expected the file that the pickled Runner"):
        pickle.loads(pickled)
    own.unlink()
    with pytest.raises(ArtifactError, match=r"own\.pt: cannot be opened: No such file"):
        pickle.loads(pickled)


def test_errors_cross_to_another_process() -> None:
    plain = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    raised = [kind("it is wrong", "mend it") for kind in plain if issubclass(kind, MpmError)]
    for error in (*raised, OptionError("depth", "1 to 4", 5, "less")):
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))
