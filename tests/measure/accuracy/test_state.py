import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mpm_deploy.errors import InputError
from mpm_deploy.measure.accuracy.state import SCHEMA, StateFile, Subject, Tally

SUBJECT = Subject("a" * 64, "ade20k", "b" * 64, 3, "cpu", None)


@pytest.fixture
def tally() -> Tally:
    boundaries = np.arange(12).reshape(3, 4)
    tally = Tally.empty(3).plus(
        "one", np.arange(9).reshape(3, 3) * 2**50, boundaries * 2**40, (60, 40)
    )
    return tally.plus("two", np.eye(3, dtype=np.int64), boundaries, (50, 30))


def test_sums(tally: Tally) -> None:
    assert tally.done == {"one", "two"}
    assert tally.tokens_kept == (110, 70)
    assert tally.counts[2, 2] == 8 * 2**50 + 1
    assert tally.boundaries[2, 3] == 11 * 2**40 + 11


def test_what_is_saved_is_loaded(tally: Tally, tmp_path: Path) -> None:
    file = StateFile(tmp_path / "state.json", SUBJECT)
    assert not file.load().done
    file.save(tally)
    loaded = file.load()
    assert loaded.done == tally.done and loaded.tokens_kept == tally.tokens_kept
    np.testing.assert_array_equal(loaded.counts, tally.counts)
    np.testing.assert_array_equal(loaded.boundaries, tally.boundaries)
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]


@pytest.mark.parametrize(
    ("part", "other"),
    [
        ("artifact", "c" * 64),
        ("dataset", "cityscapes"),
        ("samples", "d" * 64),
        ("device", "cuda"),
        ("stride", 480),
    ],
)
def test_counts_of_another_subject_are_refused(
    tally: Tally, tmp_path: Path, part: str, other: str | int
) -> None:
    path = tmp_path / "state.json"
    StateFile(path, SUBJECT).save(tally)
    with pytest.raises(InputError, match=f"state.json: counts of another {part}: ") as caught:
        StateFile(path, replace(SUBJECT, **{part: other})).load()
    assert str(other) in caught.value.problem
    assert caught.value.hint is not None and "--state" in caught.value.hint


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"schema": "mpm-evaluation-state/9"}, "expected schema 'mpm-evaluation-state/2'"),
        ({"counts": [[1, 2], [3, 4]]}, "expected counts 3 × 3"),
        ({"counts": [[1], [3, 4], []]}, "no table"),
        ({"counts": [[2**70] * 3] * 3}, "64 bits"),
        ({"counts": [[-1] * 3] * 3}, "from 0 up"),
        ({"counts": [[0.5] * 3] * 3}, "expected a whole number"),
        ({"boundaries": [[1] * 3] * 3}, "expected boundaries 3 × 4"),
        ({"boundaries": [[-1] * 4] * 3}, "from 0 up"),
        ({"done": "one"}, "expected a list"),
        ({"more": 1}, "unknown key"),
    ],
)
def test_a_foreign_file_is_refused(
    tally: Tally, tmp_path: Path, change: dict[str, object], problem: str
) -> None:
    path = tmp_path / "state.json"
    file = StateFile(path, SUBJECT)
    file.save(tally)
    kept = json.loads(path.read_text())
    assert kept["schema"] == SCHEMA
    path.write_text(json.dumps(kept | change))
    with pytest.raises(InputError, match=problem):
        file.load()


def test_a_state_without_boundary_counts_is_refused(tally: Tally, tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    file = StateFile(path, SUBJECT)
    file.save(tally)
    kept = json.loads(path.read_text()) | {"schema": "mpm-evaluation-state/1"}
    del kept["boundaries"]
    path.write_text(json.dumps(kept))
    with pytest.raises(InputError, match="got 'mpm-evaluation-state/1'") as caught:
        file.load()
    assert caught.value.hint is not None and "delete this file to count anew" in caught.value.hint


@pytest.mark.parametrize("content", [b"", b"text", b"[]", b"\xff", b"{}"])
def test_a_file_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"state\.json: not the state of an evaluation"):
        StateFile(path, SUBJECT).load()
    with pytest.raises(InputError, match="cannot be read"):
        StateFile(tmp_path, SUBJECT).load()
