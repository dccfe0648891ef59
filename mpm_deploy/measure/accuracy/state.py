"""Keeps what an evaluation has counted so far in a file, from one run to the next.

    {"schema": .., "subject": {..}}                     what is counted
    {"sample": {..}, "confusion": [..], ..}             an image's counts
    {"sample": {..}, "confusion": [..], ..}             the next one's
    {"sample": {..}, "confu                             torn off: none

An image is in it once its newline is: whatever ends an evaluation, it loses no image but the one
it was at.
"""

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpm_deploy.datasets import Sample
from mpm_deploy.datasets.label_files import content_of, read_file
from mpm_deploy.errors import InputError
from mpm_deploy.measure.accuracy.tally import CountedSample, ImageCounts, Tally
from mpm_deploy.support.files import written_atomically
from mpm_deploy.support.quoting import shown
from mpm_deploy.support.refusal import refusal
from mpm_deploy.support.schema import StructureError, read_structure, to_mapping
from mpm_deploy.support.strict_json import read_own_json

SCHEMA = "mpm-evaluation-state/3"
_CURE = "name another --state, or delete this file to count anew"


@dataclass(frozen=True)
class Subject:
    """What is counted, and what counts; counts of another subject cannot be continued.

    Attributes:
        artifact: Its payload's SHA-256.
        dataset: The data set's name.
        classes: The number of classes.
        device: Where the artifact runs.
        stride: Pixels from window to window; None is the artifact's own.
        mpm_deploy: The version of this package.
        torch: The version of torch.
    """

    artifact: str
    dataset: str
    classes: int
    device: str
    stride: int | None
    mpm_deploy: str
    torch: str


class StateFile:
    """A file on disk that keeps the counts of each image.

    Args:
        path: A file of JSON lines; it need not be there yet.
        subject: What is counted.
    """

    def __init__(self, path: str | Path, subject: Subject) -> None:
        self._path = Path(path)
        self._subject = subject

    def load(self, samples: Iterable[Sample]) -> Tally:
        """Sum up the counts of those samples whose files are the ones that were counted.

        A torn last line is cut off the file.

        Args:
            samples: The samples that are asked for.

        Raises:
            InputError: Not such a file, one that counts another subject, or one that cannot be
                read or written.
            DatasetError: A sample's file cannot be read.
        """
        kept = {image.sample.id: image for image in self._read()}  # the last one counts
        tally = Tally(self._subject.classes)
        for sample in samples:
            image = kept.get(sample.id)
            if image is not None and (image.sample.image, image.sample.labels) == (
                content_of(read_file(sample.image)),
                content_of(read_file(sample.labels)),
            ):
                tally.add(image)
        return tally

    def append(self, image: ImageCounts) -> None:
        """Add the counts of an image; they are on the disk when this returns.

        Raises:
            InputError: The file cannot be written.
        """
        if not self._path.exists():
            with written_atomically(self._path) as temporary:
                temporary.write_bytes(_line(to_mapping(_Head(SCHEMA, self._subject))))
        line = _line(
            {
                "sample": to_mapping(image.sample),
                "confusion": image.confusion.tolist(),
                "boundaries": image.boundaries.tolist(),
            }
        )
        try:
            with self._path.open("ab") as file:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise self._refusal("written", error) from error

    def _read(self) -> Iterator[ImageCounts]:
        if not self._path.exists():
            return
        try:
            whole, newline, torn = self._path.read_bytes().rpartition(b"\n")
        except OSError as error:
            raise self._refusal("read", error) from error
        first, *others = (whole if newline else torn).split(b"\n")
        self._check_head(first)
        if torn:
            self._cut_off(len(torn))
        for number, line in enumerate(others, start=2):
            try:
                yield self._image(line)
            except (StructureError, ValueError) as error:
                raise self._error(f"line {number}: not the counts of an image: {error}") from error

    def _image(self, line: bytes) -> ImageCounts:
        data = read_own_json(line)
        if not isinstance(data, dict) or set(data) != {"sample", "confusion", "boundaries"}:
            raise StructureError("", "expected sample, confusion and boundaries")
        sample = read_structure(CountedSample, data["sample"], "sample")
        confusion = _table("confusion", data["confusion"], 3)
        boundaries = _table("boundaries", data["boundaries"], 5)
        if max(confusion[:, :2].max(initial=0), boundaries[:, 0].max(initial=0)) >= (
            self._subject.classes
        ):
            raise StructureError("", f"expected classes below {self._subject.classes}")
        return ImageCounts(sample, confusion, boundaries)

    def _cut_off(self, torn: int) -> None:
        """Take so many bytes off the end of the file."""
        try:
            os.truncate(self._path, self._path.stat().st_size - torn)
        except OSError as error:
            raise self._refusal("written", error) from error

    def _check_head(self, line: bytes) -> None:
        try:
            data = read_own_json(line)
            schema = data.get("schema", SCHEMA) if isinstance(data, dict) else SCHEMA
            if schema != SCHEMA:
                raise self._error(f"expected schema {SCHEMA!r}, got {shown(schema)}")
            kept = read_structure(_Head, data).subject
        except (StructureError, ValueError) as error:
            raise self._error(f"not the state of an evaluation: {error}") from error
        for part in fields(Subject):
            theirs, ours = getattr(kept, part.name), getattr(self._subject, part.name)
            if theirs != ours:
                raise self._error(f"counts of another {part.name}: {theirs}, and asked for {ours}")

    def _refusal(self, done: str, error: OSError) -> InputError:
        return refusal(InputError, f"{self._path}: cannot be {done}", error)

    def _error(self, problem: str) -> InputError:
        return InputError(f"{self._path}: {problem}", _CURE)


@dataclass(frozen=True)
class _Head:
    """The first line of a state file."""

    schema: str
    subject: Subject


def _line(values: Any) -> bytes:
    return json.dumps(values).encode() + b"\n"


def _table(name: str, rows: Any, width: int) -> NDArray[np.int64]:
    """Return ``(rows, width)``, whole numbers from 0 up."""
    table = np.array(rows) if rows else np.zeros((0, width), np.int64)
    if table.dtype != np.int64 or table.shape[1:] != (width,) or (table < 0).any():
        raise StructureError(name, f"expected rows of {width} whole numbers from 0 up, of 64 bits")
    return table
