"""Run engines as the steps of a chain, on memory and on the stream that are torch's."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from mpm_deploy.backends.devices import on
from mpm_deploy.backends.tensorrt.engines import listener_of, started
from mpm_deploy.backends.tensorrt.flavors import Library
from mpm_deploy.backends.tensorrt.heard import Heard

_DTYPES = {
    "FLOAT": torch.float32,
    "HALF": torch.float16,
    "BF16": torch.bfloat16,
    "INT32": torch.int32,
    "INT64": torch.int64,
    "UINT8": torch.uint8,
}
# Bytes that an address is a multiple of: what TensorRT asks for on a GPU, and where torch puts what
# it makes on a CPU, where nothing asks.
_BORDERS = {"cuda": 256, "cpu": 64}


class EngineStep:
    """One segment as an engine. It is not for two threads at once: it has one memory.

    Args:
        library: What runs it, the version that made it.
        engine: The engine, as it was written.
        device: Where it runs.

    Raises:
        RuntimeError: The library cannot open it, or CUDA cannot start; says why.
    """

    def __init__(self, library: Library, engine: bytes, device: torch.device) -> None:
        listener = listener_of(library)
        self._heard: Heard = listener.heard
        self._device = device
        with on(device):
            self._engine = started(library.module.Runtime, listener).deserialize_cuda_engine(engine)
            if self._engine is None:
                raise RuntimeError(self._heard.said())
            self._context = self._engine.create_execution_context()
        if self._context is None:  # as where the GPU's memory is short
            raise RuntimeError(self._heard.said())
        names = [self._engine.get_tensor_name(i) for i in range(self._engine.num_io_tensors)]
        modes = {name: self._engine.get_tensor_mode(name).name for name in names}
        self._dtypes = {name: self._dtype(name) for name in names}
        self.inputs: Sequence[str] = [name for name in names if modes[name] == "INPUT"]
        self._outputs = [name for name in names if modes[name] == "OUTPUT"]

    def run(self, inputs: Sequence[Tensor]) -> Mapping[str, Tensor]:
        """Compute what it gives, by name; it may still be at it when this returns.

        Its device is the current one.

        Raises:
            RuntimeError: The library refuses an input, or failed.
        """
        self._heard.begin()
        # A copy may go once the engine is queued: what takes its memory then is queued behind.
        read = [self._read(name, given) for name, given in zip(self.inputs, inputs, strict=True)]
        outputs = {name: self._made(name) for name in self._outputs}
        if not self._context.execute_async_v3(_stream(self._device)):
            raise RuntimeError(self._heard.said())
        del read
        return outputs

    def _read(self, name: str, given: Tensor) -> Tensor:
        """Have the engine read an input; return what it reads."""
        read, shape = readable(name, given, self._dtypes[name], self._device), tuple(given.shape)
        if not self._context.set_input_shape(name, shape):
            raise RuntimeError(f"{name} of shape {shape}: {self._heard.said()}")
        self._set_address(name, read)
        return read

    def _made(self, name: str) -> Tensor:
        """Make an output, whose shape follows from those of the inputs, for the engine to write."""
        shape = tuple(self._context.get_tensor_shape(name))
        if min(shape, default=0) < 0:  # it follows from none that the engine takes
            raise RuntimeError(f"{name} of shape {shape}: {self._heard.said()}")
        output = torch.empty(shape, dtype=self._dtypes[name], device=self._device)
        self._set_address(name, output)
        return output

    def _set_address(self, name: str, tensor: Tensor) -> None:
        if not self._context.set_tensor_address(name, tensor.data_ptr()):
            raise RuntimeError(f"{name}: {self._heard.said()}")

    def _dtype(self, name: str) -> torch.dtype:
        kind = self._engine.get_tensor_dtype(name).name
        if kind not in _DTYPES:
            raise RuntimeError(f"{name}: expected a tensor of {', '.join(_DTYPES)}, got {kind}")
        return _DTYPES[kind]


def readable(name: str, given: Tensor, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return an input as an engine reads it: where it lies, or copied where none may lie there.

    One image of a batch may begin anywhere, as where its size is a multiple of 14.

    Raises:
        RuntimeError: It is of another type, on another device, or not contiguous.
    """
    expected = f"{name}: expected a contiguous {dtype} on {device}"
    if given.dtype != dtype or given.device != device:
        raise RuntimeError(f"{expected}, got {given.dtype} on {given.device}")
    if not given.is_contiguous():
        raise RuntimeError(f"{expected}, got strides {given.stride()} of {tuple(given.shape)}")
    return given.clone() if given.data_ptr() % _BORDERS[device.type] else given


def _stream(device: torch.device) -> int:
    return torch.cuda.current_stream(device).cuda_stream if device.type == "cuda" else 0
