"""Writes what ``mpm-deploy run`` makes of each image or frame, in every form that was asked for.

-o FOLDER           label maps, and with --scores class scores
-o FILE.mp4|.mkv    a video with label maps over its frames
--json FILE|-       a line each
"""

from __future__ import annotations

import json
import os
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from io import FileIO
from pathlib import Path

from mpm_deploy.artifact import Manifest
from mpm_deploy.cli.console import say, stdout_is_read, talk
from mpm_deploy.errors import InputError
from mpm_deploy.images.decode import check_names_a_folder
from mpm_deploy.run.frame_lines import Line, end_line, head_line, result_line, skipped_line
from mpm_deploy.run.label_maps import Color, label_map_names, write_label_map, write_scores
from mpm_deploy.run.results import Result, Skipped, name_of
from mpm_deploy.run.sources import Frame, Source
from mpm_deploy.run.sources.files import Files
from mpm_deploy.show.drawing.overlay_video import SUFFIXES, OverlayVideo
from mpm_deploy.support.counting import counted
from mpm_deploy.support.files import check_can_write, check_output_folder, make_folder
from mpm_deploy.support.refusal import refusal

_STDOUT = "-"


class RunOutputs:
    """Everything that one run writes.

    Args:
        arguments: ``output``, ``json`` and ``scores`` of the command.
        source: What is run on.

    Raises:
        InputError: They make no sense together, or cannot be written.
    """

    def __init__(self, arguments: Namespace, source: Source) -> None:
        self._source = source
        self._output: Path | None = arguments.output
        self._json: str | None = arguments.json
        self._lines = _file_of_lines(arguments)
        self._is_video = self._output is not None and _names_a_video(self._output)
        self.written = self.skipped = 0
        _check(arguments, source, self._is_video)
        self._targets = _targets(self._output, source) if not self._is_video else []
        if self._output is not None and self._lines is not None:
            _check_differ(self._lines, [self._output] if self._is_video else self._targets)
        self._put: Callable[[Line], None] | None = None
        self._video: OverlayVideo | None = None

    @contextmanager
    def open(self, artifact: Path, manifest: Manifest) -> Iterator[None]:
        """Make folders and files, and end them properly whatever ends the run."""
        self._palette, self._classes = manifest.model.palette, manifest.model.classes
        with ExitStack() as stack:
            if self._source.has_frames:
                stack.callback(self._tell_losses)
            if self._json is not None:
                self._put = stack.enter_context(_json_lines(self._json))
                self._put(head_line(artifact, self._source, self._classes))
                stack.callback(self._end_lines)
            if self._is_video and self._output is not None:
                self._video = OverlayVideo(self._output, self._palette)
                stack.callback(self._video.close)
            elif self._output is not None:
                for folder in {self._output, *(target.parent for target in self._targets)}:
                    make_folder(folder)
            yield

    def write(self, index: int, outcome: Result | Skipped) -> str | None:
        """Write what was made of an image or frame; return why that could not be done, if so.

        Raises:
            InputError: A file of all frames together cannot be written on.
        """
        reason = self._write_files(index, outcome) if outcome.ok else outcome.reason
        self.skipped += reason is not None
        self.written += reason is None
        if self._put is not None:
            self._put(_line(index, outcome, reason, len(self._classes)))
        return reason

    def nobody_reads(self) -> bool:
        """Tell whether all that is written goes to a stdout whose reader is gone."""
        return self._output is None and self._json == _STDOUT and not stdout_is_read()

    def said(self) -> str:
        """Say in words what there is now."""
        if self._output is None:
            place = "stdout" if self._json == _STDOUT else self._json
            return f"{counted(self.written, 'line')} in {place}"
        what = "frame" if self._is_video else "label map"
        return f"{counted(self.written, what)} in {self._output}"

    def _write_files(self, index: int, result: Result) -> str | None:
        if self._video is not None and isinstance(result.source, Frame):
            self._video.write(result.source.pixels, result.labels, result.source.time)
        elif self._output is not None:
            return _write_label_map(result, self._target(index), self._palette)
        return None

    def _target(self, index: int) -> Path:
        if self._source.has_frames and self._output is not None:
            return self._output / f"frame_{index:06}.png"
        return self._targets[index - 1]

    def _end_lines(self) -> None:
        if self._put is not None:
            self._put(end_line(self.written, self.skipped, self._source))

    def _tell_losses(self) -> None:
        lost = self._source.losses
        if lost.dropped or self._source.live:
            talk(f"{counted(lost.dropped, 'frame')} dropped, that newer ones took the place of")
        if lost.broken:
            talk(f"{counted(lost.broken, 'frame')} could not be decoded")
        if lost.reconnects:
            talk(f"opened again {counted(lost.reconnects, 'time')}")


@contextmanager
def _json_lines(target: str) -> Iterator[Callable[[Line], None]]:
    """Give what writes a line of JSON, whole before it returns, to a file or to stdout."""
    if target == _STDOUT:
        yield lambda line: say(json.dumps(line))
        return
    with Path(target).open("wb", buffering=0) as file:  # nothing is left to write at its end
        yield partial(_put, target, file)


def _put(target: str, file: FileIO, line: Line) -> None:
    begin = file.tell()
    try:
        left = memoryview(json.dumps(line).encode() + b"\n")
        while left:
            left = left[file.write(left) :]
    except OSError as error:
        with suppress(OSError):
            file.truncate(begin)  # a part of a line is no line
            file.seek(begin)
        raise refusal(InputError, f"{target}: cannot write there", error) from error


def _line(index: int, outcome: Result | Skipped, reason: str | None, classes: int) -> Line:
    if outcome.ok and reason is None:
        return result_line(index, outcome, classes)
    name = name_of(outcome.source) if outcome.ok else outcome.path
    return skipped_line(index, name, reason or "")


def _write_label_map(result: Result, target: Path, palette: Sequence[Color]) -> str | None:
    try:
        write_label_map(target, result.labels, palette)
        if "scores" in result.outputs:
            write_scores(target.with_suffix(".npy"), result.scores)
    except InputError as error:
        return error.problem
    return None


def _names_a_video(output: Path) -> bool:
    return output.suffix.lower() in SUFFIXES and not output.is_dir()


def _check(arguments: Namespace, source: Source, is_video: bool) -> None:
    """Refuse what makes no sense together, and what cannot be written, before the work begins."""
    output: Path | None = arguments.output
    if is_video and not source.has_frames:
        raise InputError(
            f"{output}: expected a folder for the label maps of images, got a video's name",
            "name a folder; a video is made of a video or a camera",
        )
    if arguments.scores and (output is None or is_video):
        raise InputError(
            "--scores: expected a folder, where class scores go beside label maps", "-o FOLDER"
        )
    if is_video and arguments.label_size != "image":
        raise InputError(
            "--label-size: expected image, as label maps go over frames, got input",
            "name a folder for label maps of another size",
        )
    lines, video = _file_of_lines(arguments), output if is_video else None
    files = [file for file in (lines, video) if file is not None]
    paths = source.paths if isinstance(source, Files) else ()
    _check_keeps([*arguments.sources, *paths], files, "output would overwrite an input")
    _check_keeps([arguments.artifact], files, "output would overwrite the artifact")
    check_can_write(lines, begins=b"{")
    check_can_write(video)
    if output is not None and not is_video:
        check_names_a_folder(output)
        check_output_folder(output, [Path(place) for place in arguments.sources])
        if arguments.recursive:
            _check_lies_outside(output, arguments.sources)


def _file_of_lines(arguments: Namespace) -> Path | None:
    return None if arguments.json in (None, _STDOUT) else Path(arguments.json)


def _check_differ(lines: Path, outputs: Iterable[Path]) -> None:
    """Refuse a file of lines that another output would take the place of."""
    if os.path.realpath(lines) in map(os.path.realpath, outputs):
        raise InputError(f"{lines}: expected two files for -o and --json", "name another one")


def _check_lies_outside(output: Path, sources: Sequence[str]) -> None:
    """Refuse an output folder inside an input folder: the next run would take label maps for it."""
    for folder in (Path(source).resolve() for source in sources):
        if folder.is_dir() and folder in output.resolve().parents:
            raise InputError(
                f"{output}: expected an output folder outside {folder}, which is read with all "
                "folders in it",
                "name another folder for the output",
            )


def _targets(output: Path | None, source: Source) -> list[Path]:
    """Choose the label map of each image, none of which is an image itself."""
    if output is None or not isinstance(source, Files):
        return []
    names = label_map_names(source.paths, source.folders)
    targets = [output / name for name in names]
    _check_keeps(source.paths, targets, "label map would overwrite an input image")
    return targets


def _check_keeps(inputs: Iterable[str | Path], targets: Iterable[Path], what: str) -> None:
    """Refuse to write over an input."""
    kept = {os.path.realpath(path) for path in inputs}
    for target in targets:
        if os.path.realpath(target) in kept:
            raise InputError(f"{target}: this {what}", "name another place for what is written")
