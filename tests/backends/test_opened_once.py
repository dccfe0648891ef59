"""What a process has open is opened no second time, and not kept when nobody has it."""

import gc
import shutil
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import numpy as np
import pytest
import torch

from mpm_deploy import Runner
from mpm_deploy.backends import open_artifact
from mpm_deploy.backends.aotinductor import backend as aotinductor
from mpm_deploy.backends.opened_once import OpenedOnce
from mpm_deploy.errors import InputError
from mpm_deploy.recipe import Recipe
from tests.conftest import INPUT_SIZE
from tests.support.forked import in_child
from tests.support.opened import loaded

FRAME = np.arange(50 * 70 * 3, dtype=np.uint8).reshape(50, 70, 3)


class Opened:
    """Something that can be dropped."""


def unchecked() -> None:
    pass


def opened(payload: str, part: str = "scores") -> OpenedOnce[Opened]:
    return OpenedOnce(payload, part, Opened, unchecked)


def what(user: OpenedOnce[Opened]) -> Opened:
    with user.call() as it:
        return it


def test_one_payload_is_opened_once_as_long_as_somebody_has_it() -> None:
    first, again = opened("a"), opened("a")
    assert what(first) is what(again)
    assert what(opened("a", "labels")) is not what(first)
    assert what(opened("b")) is not what(first)

    anew: list[object] = []
    del first, again
    gc.collect()
    OpenedOnce("a", "scores", lambda: anew.append("anew") or Opened(), unchecked)
    assert anew == ["anew"]


def test_who_finds_it_open_checks_a_file_of_its_own() -> None:
    def fail() -> None:
        raise OSError

    first = OpenedOnce("g", "scores", Opened, fail)  # which checks as it opens
    with pytest.raises(OSError):
        OpenedOnce("g", "scores", Opened, fail)
    assert what(opened("g")) is what(first)


def test_what_has_no_digest_yet_is_opened_each_time() -> None:
    assert what(opened("")) is not what(opened(""))


def test_what_cannot_be_opened_is_tried_again() -> None:
    def fail() -> Opened:
        raise OSError

    for _ in range(2):
        with pytest.raises(OSError):
            OpenedOnce("c", "scores", fail, unchecked)
    assert what(opened("c"))


def test_a_forked_child_goes_on_with_what_is_open() -> None:
    user = opened("d")
    kept = what(user)

    def work() -> str:
        of_a_child = in_child(lambda: str(what(user) is kept))
        return f"{what(user) is kept} {what(opened('d')) is kept} {of_a_child}"

    assert in_child(work) == "True True True"


@contextmanager
def called(user: OpenedOnce[Opened]) -> Iterator[None]:
    """Another thread is calling it."""
    called, may_end = Event(), Event()

    def call() -> None:
        with user.call():
            called.set()
            may_end.wait()

    with ThreadPoolExecutor(1) as other:
        other.submit(call)
        called.wait()
        try:
            yield
        finally:
            may_end.set()


def test_a_forked_child_opens_anew_what_was_being_called_and_never_frees_it() -> None:
    one, other = opened("e"), opened("e")
    kept = weakref.ref(what(one))

    def work() -> str:
        own = what(one)
        gc.collect()
        of_a_child = in_child(lambda: str(what(other) is own))  # nobody calls it any more
        is_shared = own is what(other) is what(opened("e"))
        return f"{kept() not in (own, None)} {is_shared} {of_a_child}"

    with called(one):
        assert in_child(work) == "True True True"
    assert in_child(lambda: str(what(other) is kept())) == "True"


def test_a_forked_child_opens_while_its_parent_does() -> None:
    opening, may_end = Event(), Event()

    def slowly() -> Opened:
        opening.set()
        may_end.wait()
        return Opened()

    with ThreadPoolExecutor(1) as other:
        other.submit(OpenedOnce, "f", "scores", slowly, unchecked)
        opening.wait()
        try:
            assert in_child(lambda: type(what(opened("f"))).__name__) == "Opened"
        finally:
            may_end.set()


@contextmanager
def at_work(runner: Runner) -> Iterator[None]:
    """Another thread has it segment one image after the other."""
    is_over = Event()

    def work() -> None:
        while not is_over.is_set():
            runner(FRAME)

    with ThreadPoolExecutor(1) as other:
        working = other.submit(work)
        try:
            yield
        finally:
            is_over.set()
            working.result()


def in_the_middle(runner: Runner, work: Callable[[], str]) -> str:
    """Fork while the runner's model is at work."""
    calls = vars(runner._program)["_opened"]._shared.calls
    while not calls:
        pass
    return in_child(work)


def test_a_forked_child_uses_a_runner_beside_one_that_was_at_work(
    recipe_and_artifact: tuple[Recipe, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aotinductor, "available_cores", lambda: 1)  # one call takes all there is
    _, artifact = recipe_and_artifact
    with Runner(artifact, threads=1) as busy, Runner(artifact, threads=1) as unused:
        expected = busy(FRAME).labels

        def work() -> str:
            return str((unused(FRAME).labels == expected).all())

        with at_work(busy):
            for _ in range(5):
                assert in_the_middle(busy, work) == "True"
        assert (unused(FRAME).labels == expected).all()


def test_a_forked_child_says_that_the_file_to_open_anew_is_another_or_gone(
    recipe_and_artifact: tuple[Recipe, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _, artifact = recipe_and_artifact
    own = Path(shutil.copy(artifact, artifact.name))
    with Runner(own, threads=1) as busy, Runner(own, threads=1) as unused:
        with at_work(busy):
            monkeypatch.chdir("/")
            assert in_the_middle(busy, lambda: str(unused(FRAME).labels.shape)) == "(50, 70)"
            (tmp_path / own).write_bytes(b"another")
            of_another = in_the_middle(busy, lambda: str(unused(FRAME)))
            (tmp_path / own).unlink()
            of_none = in_the_middle(busy, lambda: str(unused(FRAME)))
        where = f"ArtifactError: {tmp_path / own}: "
        assert of_another.startswith(f"{where}not an artifact, or cut short")
        assert of_none.startswith(f"{where}cannot be opened: No such file")


def test_a_closed_program_leaves_memory_while_somebody_has_it(
    recipe_and_artifact: tuple[Recipe, Path],
) -> None:
    _, artifact = recipe_and_artifact
    _, program = open_artifact(artifact)
    kept = weakref.ref(vars(program)["_opened"]._shared)
    program.close()
    gc.collect()
    assert kept() is None
    images = torch.zeros(1, 3, *INPUT_SIZE, dtype=torch.uint8)
    with pytest.raises(InputError, match=f"{artifact.name}: this program is closed"):
        program.scores(images)


def test_runners_of_one_file_share_what_is_loaded_and_outlive_each_other(
    recipe_and_artifact: tuple[Recipe, Path],
    image_folder: Path,
    tmp_path: Path,
) -> None:
    _, artifact = recipe_and_artifact
    copy = tmp_path / artifact.name
    copy.write_bytes(artifact.read_bytes())
    image = image_folder / "image_0.jpg"
    with Runner(artifact, threads=1) as one:
        expected = one(image).labels
        other = Runner(copy, threads=1)
        assert loaded(one) is loaded(other)
    with other:
        assert (other(image).labels == expected).all()
