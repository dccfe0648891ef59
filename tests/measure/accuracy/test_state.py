import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mpm_deploy.datasets import Sample
from mpm_deploy.datasets.label_files import content_of, read_file
from mpm_deploy.errors import DatasetError, InputError
from mpm_deploy.measure.accuracy.state import SCHEMA, StateFile, Subject
from mpm_deploy.measure.accuracy.tally import CountedSample, ImageCounts

SUBJECT = Subject("a" * 64, "ade20k", 3, "cpu", None, "0.1.0", "2.15.0")


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    found = [Sample(n, tmp_path / f"{n}.jpg", tmp_path / f"{n}.png") for n in ("one", "two")]
    for sample in found:
        sample.image.write_text(f"image {sample.id}")
        sample.labels.write_text(f"labels {sample.id}")
    return found


@pytest.fixture
def file(tmp_path: Path) -> StateFile:
    return StateFile(tmp_path / "state", SUBJECT)


def counts_of(sample: Sample, confusion: int = 2) -> ImageCounts:
    files = content_of(read_file(sample.image)), content_of(read_file(sample.labels))
    return ImageCounts(
        CountedSample(sample.id, *files, 1, pixels=9, ignored=1, tokens_kept=(60, 40)),
        np.array([(0, 0, confusion), (2, 1, 2**50)]),
        np.array([(1, 4, 5, 6, 7)]),
    )


def lines_of(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


def test_what_is_appended_is_loaded(file: StateFile, samples: list[Sample], tmp_path: Path) -> None:
    assert not file.load(samples).samples
    for sample in samples:
        file.append(counts_of(sample))
    tally = file.load(samples)
    assert list(tally.samples) == ["one", "two"]
    assert tally.samples["one"] == counts_of(samples[0]).sample
    np.testing.assert_array_equal(tally.counts, [[4, 0, 0], [0, 0, 0], [0, 2**51, 0]])
    np.testing.assert_array_equal(tally.boundaries, [[0] * 4, [8, 10, 12, 14], [0] * 4])
    assert not list(tmp_path.glob(".*"))


def test_only_samples_that_are_asked_for_are_in_the_sums(
    file: StateFile, samples: list[Sample]
) -> None:
    for sample in samples:
        file.append(counts_of(sample))
    assert list(file.load(samples[1:]).samples) == ["two"]


@pytest.mark.parametrize("kind", ["image", "labels"])
def test_counts_of_other_files_do_not_count(
    file: StateFile, samples: list[Sample], kind: str
) -> None:
    for sample in samples:
        file.append(counts_of(sample))
    changed: Path = getattr(samples[0], kind)
    before = changed.stat()
    changed.write_text(changed.read_text().upper())  # as many bytes
    os.utime(changed, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert list(file.load(samples).samples) == ["two"]
    file.append(counts_of(samples[0], confusion=5))
    assert file.load(samples).counts[0, 0] == 5 + 2


def test_a_file_that_cannot_be_read_is_named(file: StateFile, samples: list[Sample]) -> None:
    file.append(counts_of(samples[0]))
    samples[0].image.unlink()
    with pytest.raises(DatasetError, match=r"one\.jpg: cannot be read: No such file"):
        file.load(samples)


def test_a_torn_line_is_none(file: StateFile, samples: list[Sample], tmp_path: Path) -> None:
    path = tmp_path / "state"
    for sample in samples:
        file.append(counts_of(sample))
    whole = path.read_bytes()
    last = len(lines_of(path)[-1])
    for missing in (1, 2, last // 2, last - 1, last):
        path.write_bytes(whole[:-missing])
        assert list(file.load(samples).samples) == ["one"]
        file.append(counts_of(samples[1]))
        assert path.read_bytes() == whole


@pytest.mark.parametrize(
    ("part", "other"),
    [
        ("artifact", "c" * 64),
        ("dataset", "cityscapes"),
        ("classes", 4),
        ("device", "cuda"),
        ("stride", 480),
        ("mpm_deploy", "0.2.0"),
        ("torch", "2.6.0"),
    ],
)
def test_counts_of_another_subject_are_refused(
    samples: list[Sample], tmp_path: Path, part: str, other: str | int
) -> None:
    path = tmp_path / "state"
    StateFile(path, SUBJECT).append(counts_of(samples[0]))
    with pytest.raises(InputError, match=f"state: counts of another {part}: ") as caught:
        StateFile(path, replace(SUBJECT, **{part: other})).load(samples)
    assert str(other) in caught.value.problem
    assert caught.value.hint is not None and "--state" in caught.value.hint


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"confusion": [[1, 2]]}, "line 2: .*confusion: expected rows of 3 whole numbers"),
        ({"confusion": [[1, 2], [3]]}, "line 2: not the counts"),
        ({"confusion": [[0, 0, 2**70]]}, "64 bits"),
        ({"confusion": [[0, 0, -1]]}, "from 0 up"),
        ({"confusion": [[0, 3, 1]]}, "expected classes below 3"),
        ({"confusion": [[0, 0, 0.5]]}, "whole numbers"),
        ({"confusion": "text"}, "whole numbers"),
        ({"confusion": 7}, "whole numbers"),
        ({"boundaries": [[3, 1, 1, 1, 1]]}, "expected classes below 3"),
        ({"boundaries": [[0, 1, 1, 1, -1]]}, "boundaries: .* from 0 up"),
        ({"sample": "one"}, "sample: expected a table"),
        ({"more": 1}, "expected sample, confusion and boundaries"),
    ],
)
def test_lines_that_are_no_counts_are_refused(
    file: StateFile,
    samples: list[Sample],
    tmp_path: Path,
    change: dict[str, object],
    problem: str,
) -> None:
    path = tmp_path / "state"
    file.append(counts_of(samples[0]))
    head, line = lines_of(path)
    path.write_bytes(head + json.dumps(json.loads(line) | change).encode() + b"\n")
    before = path.read_bytes()
    with pytest.raises(InputError, match=problem):
        file.load(samples)
    assert path.read_bytes() == before


def test_a_state_of_an_earlier_version_is_refused(file: StateFile, tmp_path: Path) -> None:
    old = {"schema": "mpm-evaluation-state/2", "subject": {}, "done": ["one"], "counts": [[1]]}
    (tmp_path / "state").write_text(json.dumps(old) + "\n")
    with pytest.raises(InputError, match=f"expected schema '{SCHEMA}', got '.*/2'") as caught:
        file.load([])
    assert caught.value.hint is not None and "delete this file to count anew" in caught.value.hint


@pytest.mark.parametrize(
    "content", [b"", b"text", b"text\n", b"text\nmore", b"[]", b"\xff", b"{}", b"{}\nmore", b"\n"]
)
def test_a_file_that_is_none_is_refused(file: StateFile, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "state").write_bytes(content)
    with pytest.raises(InputError, match="state: not the state of an evaluation"):
        file.load([])
    assert (tmp_path / "state").read_bytes() == content
    with pytest.raises(InputError, match="cannot be read"):
        StateFile(tmp_path, SUBJECT).load([])
