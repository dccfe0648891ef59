"""Runs an engine: a worker process that the bench asks for one pass after another."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from mpm_deploy import errors
from mpm_deploy.errors import InputError, MpmError
from mpm_deploy.support.quoting import shown
from mpm_deploy.support.refusal import refusal
from mpm_deploy.support.strict_json import read_own_json

PROGRAM = (sys.executable, "-m", "mpm_deploy.cli")
_SECONDS_TO_LEAVE = 10
_KINDS = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, MpmError)
}


class Engine:
    """A process of its own that runs one artifact.

    Thread pools of two artifacts in one process slow one another; an engine that waits for its
    turn costs nothing. Its answers come through a pipe of their own: whoever likes may print to
    its stdout.

    Args:
        artifact: A ``.pt``, ``.pt2``, ``.onnx.zip`` or ``.tensorrt.zip``.
        folder: Images to time it on.
        limit: First images of the folder; None is all.
        program: The command whose ``worker`` subcommand is started.
        options: As `Runner` takes them: ``device``, ``threads``, ``workers``, ``stride``,
            ``max_pixels``, ``trust``.

    Raises:
        InputError: There is no such program.
    """

    def __init__(
        self,
        artifact: str | Path,
        folder: str | Path,
        *,
        limit: int | None = None,
        program: Sequence[str] = PROGRAM,
        **options: str | int | Path | None,
    ) -> None:
        self.artifact = artifact
        given = [
            f"--{name.replace('_', '-')}={value}"
            for name, value in {"limit": limit, **options}.items()
            if value is not None
        ]
        receiving, sending = os.pipe()
        self._answers = os.fdopen(receiving, encoding="utf-8")
        given.append(f"--answers={sending}")
        command = [*program, "worker", str(artifact), str(folder), *given]
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, pass_fds=[sending], text=True
            )
        except OSError as error:
            self._answers.close()
            what = f"{program[0]}: expected a program that can be started, got"
            cure = "`make cpp` makes the C++ program, build/cpp_runner"
            raise refusal(InputError, what, error, cure) from error
        finally:
            os.close(sending)

    @property
    def process_id(self) -> int:
        """The process id of the worker."""
        return self._process.pid

    def ask(self, name: str, **details: Any) -> dict[str, Any]:
        """Ask the worker for one pass, and return its answer.

        Args:
            name: ``"open"``, ``"warmup"``, ``"model"`` or ``"end_to_end"``.
            details: Further settings of the pass, as ``batch_size``.

        Raises:
            MpmError: The process is gone, or the pass failed there: with an error of that class.
        """
        line = self._exchange(json.dumps({"pass": name, **details}))
        try:
            answer: dict[str, Any] = read_own_json(line)
        except ValueError as error:
            raise MpmError(f"{self.artifact}: its worker answered {shown(line)}") from error
        if "error" in answer:
            kind = _KINDS.get(str(answer.get("kind")), MpmError)
            raise kind(answer["error"], answer.get("hint"))
        return answer

    def close(self) -> None:
        """Let the process leave after the pass it is in, and kill it if it does not."""
        process = self._process
        try:
            process.communicate(timeout=_SECONDS_TO_LEAVE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
        self._answers.close()

    def __enter__(self) -> "Engine":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self._process.terminate()  # nobody waits for the pass it is in
        self.close()

    def _exchange(self, request: str) -> str:
        stdin = self._process.stdin
        line = ""
        if stdin is not None:
            try:
                stdin.write(request + "\n")
                stdin.flush()
                line = self._answers.readline()
            except BrokenPipeError:
                pass  # it is gone: no answer
        if not line:
            code = self._process.wait()
            raise MpmError(
                f"{self.artifact}: its worker ended with exit code {code}",
                "memory may be short: try a smaller --batch; what it said stands above",
            )
        return line
