"""What a process has open is opened no second time, and not kept when nobody has it."""

import gc
import os
from pathlib import Path

from mpm_deploy import Runner
from mpm_deploy.backends.opened_once import opened_once
from mpm_deploy.recipe import Recipe


class Opened:
    """Something that can be dropped."""


def test_one_payload_is_opened_once_as_long_as_somebody_has_it() -> None:
    first, again = (opened_once("a", "scores", Opened) for _ in range(2))
    assert first is again
    assert opened_once("a", "labels", Opened) is not first
    assert opened_once("b", "scores", Opened) is not first

    opened: list[object] = []
    del first, again
    gc.collect()
    opened_once("a", "scores", lambda: opened.append("anew") or Opened())
    assert opened == ["anew"]


def test_what_has_no_digest_yet_is_opened_each_time() -> None:
    assert opened_once("", "scores", Opened) is not opened_once("", "scores", Opened)


def test_what_cannot_be_opened_is_tried_again() -> None:
    def fail() -> Opened:
        raise OSError

    for _ in range(2):
        try:
            opened_once("c", "scores", fail)
        except OSError:
            continue
        raise AssertionError
    assert opened_once("c", "scores", Opened)


def test_a_forked_child_begins_with_nothing() -> None:
    kept = opened_once("d", "scores", Opened)
    child = os.fork()
    if child == 0:
        os._exit(0 if opened_once("d", "scores", Opened) is not kept else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


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


def loaded(runner: Runner) -> object:
    """What holds the weights of a Runner."""
    program = vars(runner._program)
    return program["_entries"]["scores"] if "_entries" in program else program["_module"]
