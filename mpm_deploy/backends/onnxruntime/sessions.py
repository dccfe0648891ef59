"""Open the segments of an artifact as sessions of ONNX Runtime."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mpm_deploy.artifact import Manifest
from mpm_deploy.backends.onnxruntime.packages import import_onnxruntime
from mpm_deploy.backends.onnxruntime.widened import widen
from mpm_deploy.backends.segments.files import SEGMENTS, segment_files, unpack
from mpm_deploy.support.temporary_folder import temporary_folder

# Similarities of tokens are float32: by itself this one multiplies float32 as TF32.
_OPTIONS = {"CUDAExecutionProvider": {"use_tf32": "0"}}


class SessionStep:
    """One segment in a session, as a step of a chain; threads may run it at once.

    Args:
        session: An ``onnxruntime.InferenceSession``.

    Attributes:
        providers: The names of the execution providers that have started.
    """

    def __init__(self, session: Any) -> None:
        self._session = session
        self.inputs: Sequence[str] = [each.name for each in session.get_inputs()]
        self.providers: Sequence[str] = session.get_providers()
        self._outputs = [each.name for each in session.get_outputs()]

    def run(self, inputs: Sequence[Tensor]) -> dict[str, Tensor]:
        """Compute what it gives, by name.

        Raises:
            RuntimeError: ONNX Runtime failed.
        """
        feed = {
            name: given.numpy(force=True) for name, given in zip(self.inputs, inputs, strict=True)
        }
        try:
            arrays = self._session.run(self._outputs, feed)
        except Exception as error:  # its own are of no kind but this
            raise RuntimeError(str(error)) from error
        tensors = map(torch.from_numpy, arrays)
        return dict(zip(self._outputs, tensors, strict=True))


def open_sessions(
    path: Path, manifest: Manifest, providers: Sequence[str], threads: int
) -> list[SessionStep]:
    """Open all segments of an artifact, in order.

    Args:
        path: The artifact.
        manifest: Its manifest, whose hash it must have; see `unpack_checked`.
        providers: Names of execution providers, the preferred one first.
        threads: That share an operator.

    Raises:
        ArtifactError: The file has another hash, or cannot be read.
        MissingPackageError: ONNX Runtime is not installed.
        OSError: It cannot be unpacked.
        RuntimeError: It holds no segments, or ONNX Runtime cannot load one.
    """
    with temporary_folder() as folder:
        unpack(path, manifest.payload_sha256, {SEGMENTS}, folder)
        if manifest.requires.dtype == "bfloat16":
            widen(segment_files(folder / SEGMENTS))
        return open_folder(folder / SEGMENTS, providers, threads)


def open_folder(folder: Path, providers: Sequence[str], threads: int) -> list[SessionStep]:
    """Open the segments that lie in a folder, in order; the folder may go once they are open.

    Raises:
        What `open_sessions` raises, but for what is of an artifact.
    """
    return [_open(file, providers, threads) for file in segment_files(folder)]


def _open(file: Path, providers: Sequence[str], threads: int) -> SessionStep:
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # Each session has threads of its own. Those of one would burn cores, waiting for its next call,
    # while the next session computes.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3  # errors; what it warns of is its own affair
    wanted = [(name, _OPTIONS.get(name, {})) for name in providers]
    try:
        # Where a provider fails it would print that, and go on with the CPU's.
        session = onnxruntime.InferenceSession(file, options, wanted, enable_fallback=0)
        return SessionStep(session)
    except Exception as error:  # its own are of no kind but this
        raise RuntimeError(str(error)) from error
