"""Run an artifact on the machines of a Ray cluster, over the batches of a dataset.

    import ray
    from mpm_deploy.serve.ray import BatchRunner

    ray.data.read_binary_files("s3://photos/2026", include_paths=True).map_batches(
        BatchRunner,
        fn_constructor_args=("segmenter.pt2",),
        compute=ray.data.ActorPoolStrategy(size=8),
        num_cpus=1,
        batch_size=32,
    )

An actor opens the artifact once. It has the cores that Ray gives it for the model's threads, and as
many decode ahead of it.
"""

import platform
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from mpm_deploy.errors import InputError, MissingPackageError, MpmError
from mpm_deploy.images.decode import ImageLike
from mpm_deploy.run.label_maps import encode_label_map
from mpm_deploy.run.results import Result, class_shares
from mpm_deploy.run.runner import Runner

if TYPE_CHECKING:
    import pyarrow

Row = dict[str, Any]


class BatchRunner:
    """Gives each image of a batch its label map; for `ray.data.Dataset.map_batches`.

    Args:
        artifact: The same path on every node that an actor may start on.
        column: The column that holds the images: ``"bytes"``, encoded, is `read_binary_files`'s,
            ``"image"``, uint8 arrays ``(height, width, 3)``, is `read_images`'s.
        batch_size: Images a model call, or windows where these slide over images.
        options: The `Runner`'s.

    Raises:
        MissingPackageError: Ray Data is not installed.
        MpmError: Whatever the Runner raises, with the name of the node.
    """

    def __init__(
        self, artifact: str | Path, column: str = "bytes", batch_size: int = 1, **options: Any
    ) -> None:
        self._arrow = _arrow()
        self._runner = _opened_here(artifact, {"workers": torch.get_num_threads()} | options)
        self._model = self._runner.manifest.model
        self._column = column
        self._batch_size = batch_size

    @property
    def schema(self) -> "pyarrow.Schema":
        """The columns that a batch gets, as `rows` describes them."""
        arrow = self._arrow
        shares = arrow.struct([(name, arrow.float64()) for name in self._model.classes])
        return arrow.schema(
            {
                "label_map": arrow.binary(),
                "class_shares": shares,
                "tokens_kept": arrow.list_(arrow.int32()),
                "error": arrow.string(),
            }
        )

    def __call__(self, batch: Mapping[str, Any]) -> "pyarrow.Table":
        """Return the columns of `rows` behind the batch's own, of which the images are left out.

        Raises:
            InputError: The batch has no column of that name.
        """
        if self._column not in batch:
            raise InputError(
                f"batch: expected images in the column {self._column!r}, got {', '.join(batch)}",
                "name theirs: fn_constructor_kwargs={'column': ...}",
            )
        rows = [*self.rows([*batch[self._column]])]
        answers = self._arrow.Table.from_pylist(rows, self.schema)
        others = {name: values for name, values in batch.items() if name != self._column}
        for place, column in enumerate(_as_table(others).itercolumns()):
            answers = answers.add_column(place, [*others][place], column)
        return answers

    def rows(self, images: Iterable[ImageLike]) -> Iterator[Row]:
        """Yield the row of each image, in their order, as soon as it is there.

        ``label_map``     the bytes of a PNG as `mpm-deploy run` writes it
        ``class_shares``  by the name of each class its share of the pixels
        ``tokens_kept``   tokens left after each merge
        ``error``         None; or why there is no label map, and the others are missing then
        """
        with closing(self._runner.run(images, self._batch_size)) as outcomes:
            for outcome in outcomes:
                yield self._row(outcome) if outcome.ok else {"error": outcome.reason}

    def _row(self, result: Result) -> Row:
        classes = self._model.classes
        return {
            "label_map": encode_label_map(result.labels, self._model.palette),
            "class_shares": dict(zip(classes, class_shares(result, len(classes)), strict=True)),
            "tokens_kept": result.tokens_kept,
            "error": None,
        }


def _opened_here(artifact: str | Path, options: dict[str, Any]) -> Runner:
    """Open an artifact; what is wrong with it may be so on this node alone."""
    try:
        return Runner(artifact, **options)
    except MpmError as error:
        raise type(error)(f"node {platform.node()}: {error.problem}", error.hint) from error


def _as_table(batch: dict[str, Any]) -> "pyarrow.Table":
    """Make a table of columns as Ray makes blocks of them: they may hold arrays."""
    from ray.data.block import BlockAccessor

    return BlockAccessor.batch_to_arrow_block(batch)


def _arrow() -> Any:
    try:
        import pyarrow
        import ray.data  # noqa: F401 - both come with one extra
    except ImportError as error:
        raise MissingPackageError(
            "running on a Ray cluster needs Ray Data", "pip install 'mpm-deploy[ray]'"
        ) from error
    return pyarrow
