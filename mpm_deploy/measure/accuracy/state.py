"""Keeps what an evaluation has counted so far, in memory and in a file from one run to the next."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mpm_deploy.errors import InputError
from mpm_deploy.measure.accuracy.boundary import BoundaryCounts, no_boundaries
from mpm_deploy.measure.accuracy.confusion import Counts
from mpm_deploy.support.files import written_atomically
from mpm_deploy.support.schema import StructureError, read_structure, to_mapping

SCHEMA = "mpm-evaluation-state/2"
_CURE = "name another --state, or delete this file to count anew"


@dataclass(frozen=True)
class Subject:
    """The artifact and data that are counted; counts of another subject cannot be continued.

    Attributes:
        artifact: Its payload's SHA-256.
        dataset: The data set's name.
        samples: SHA-256 over the ids of all its samples.
        classes: The number of classes.
        device: Where the artifact runs.
        stride: Pixels from window to window; None is the artifact's own.
    """

    artifact: str
    dataset: str
    samples: str
    classes: int
    device: str
    stride: int | None


@dataclass(frozen=True, eq=False)
class Tally:
    """The sums over the images that are done.

    Attributes:
        counts: Confusion counts ``(K, K)``.
        boundaries: Boundary counts ``(K, 4)``.
        tokens_kept: Sums, one a merge.
        done: Ids of the samples that are in the sums.
    """

    counts: Counts
    boundaries: BoundaryCounts
    tokens_kept: tuple[float, ...] = ()
    done: frozenset[str] = frozenset()

    @classmethod
    def empty(cls, classes: int) -> "Tally":
        """Return the tally of no image."""
        return cls(np.zeros((classes, classes), np.int64), no_boundaries(classes))

    def plus(
        self,
        sample: str,
        counts: Counts,
        boundaries: BoundaryCounts,
        tokens_kept: Sequence[float],
    ) -> "Tally":
        """Return a new tally with one image more, so that an interrupt finds all of
        that image or nothing.
        """
        before = self.tokens_kept if self.done else (0.0,) * len(tokens_kept)
        tokens = tuple(a + b for a, b in zip(before, tokens_kept, strict=True))
        done = self.done | {sample}
        return Tally(self.counts + counts, self.boundaries + boundaries, tokens, done)


class StateFile:
    """A file on disk that keeps a tally.

    Args:
        path: A JSON file; it need not be there yet.
        subject: What is counted.
    """

    def __init__(self, path: str | Path, subject: Subject) -> None:
        self._path = Path(path)
        self._subject = subject

    def load(self) -> Tally:
        """Read the tally from the file; return an empty one where there is no file.

        Raises:
            InputError: Not such a file, or one that counts another subject.
        """
        if not self._path.exists():
            return Tally.empty(self._subject.classes)
        kept = self._read()
        self._check_subject(kept.subject)
        classes = self._subject.classes
        counts = self._table("counts", kept.counts, (classes, classes))
        boundaries = self._table("boundaries", kept.boundaries, (classes, 4))
        return Tally(counts, boundaries, kept.tokens_kept, frozenset(kept.done))

    def save(self, tally: Tally) -> None:
        """Write a tally to the file, replacing it; the file appears whole or not at all.

        Raises:
            InputError: It cannot be written.
        """
        kept = _Kept(
            schema=SCHEMA,
            subject=self._subject,
            done=tuple(sorted(tally.done)),
            tokens_kept=tally.tokens_kept,
            counts=_rows(tally.counts),
            boundaries=_rows(tally.boundaries),
        )
        with written_atomically(self._path) as temporary:
            temporary.write_text(json.dumps(to_mapping(kept)) + "\n")

    def _read(self) -> "_Kept":
        try:
            data = json.loads(self._path.read_text(encoding="utf-8"))
            schema = data.get("schema", SCHEMA) if isinstance(data, dict) else SCHEMA
            if schema != SCHEMA:
                raise self._error(f"expected schema {SCHEMA!r}, got {schema!r}")
            return read_structure(_Kept, data)
        except OSError as error:
            raise self._error(f"cannot be read: {error.strerror}") from error
        except (StructureError, ValueError) as error:
            raise self._error(f"not the state of an evaluation: {error}") from error

    def _table(self, name: str, rows: "_Rows", size: tuple[int, int]) -> NDArray[np.int64]:
        try:
            table = np.array(rows, np.int64)
        except (ValueError, OverflowError) as error:  # rows of different lengths; huge numbers
            raise self._error(f"its {name} are no table of 64-bit numbers") from error
        if table.shape != size or table.min() < 0:
            raise self._error(f"expected {name} {size[0]} × {size[1]} from 0 up")
        return table

    def _check_subject(self, kept: Subject) -> None:
        for part in fields(Subject):
            theirs, ours = getattr(kept, part.name), getattr(self._subject, part.name)
            if theirs != ours:
                raise self._error(f"counts of another {part.name}: {theirs}, and asked for {ours}")

    def _error(self, problem: str) -> InputError:
        return InputError(f"{self._path}: {problem}", _CURE)


_Rows = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class _Kept:
    """The contents of a state file."""

    schema: str
    subject: Subject
    done: tuple[str, ...]
    tokens_kept: tuple[float, ...]
    counts: _Rows
    boundaries: _Rows


def _rows(table: NDArray[np.int64]) -> _Rows:
    return tuple(tuple(row) for row in table.tolist())
