"""Stands in for TensorRT's module: its names, on a CPU, computed by ONNX Runtime.

An engine of it is the segment with its weights. Like TensorRT it knows no tensors: it reads and
writes at the addresses that it is told, as many bytes as the shapes say, and notes both.
"""

import ctypes
import math
from enum import Enum
from typing import Any

import numpy as np
import onnx
import onnxruntime

__version__ = "1.7.1.116"

REFUSED = "no implementation for this node"  # what the builder says where it is told to refuse


class NetworkDefinitionCreationFlag(int, Enum):
    STRONGLY_TYPED = 1


class BuilderFlag(Enum):
    TF32 = 1


ComputeCapability = Enum("ComputeCapability", ["NONE", "CURRENT", "SM80", "SM86", "SM120"])
TensorIOMode = Enum("TensorIOMode", ["INPUT", "OUTPUT"])
DataType = Enum("DataType", ["FLOAT", "HALF", "INT32", "UINT8"])
TYPES = {
    "tensor(float)": (DataType.FLOAT, np.float32),
    "tensor(float16)": (DataType.HALF, np.float16),
    "tensor(int32)": (DataType.INT32, np.int32),
    "tensor(uint8)": (DataType.UINT8, np.uint8),
}


class ILogger:
    ERROR, WARNING = 1, 2


class Parsed:
    """A network: the inputs' names and shapes, with -1 for what may be any number."""

    def __init__(self, flags: int) -> None:
        self.is_strongly_typed = flags == 1 << NetworkDefinitionCreationFlag.STRONGLY_TYPED
        self.model: Any = None

    @property
    def num_inputs(self) -> int:
        return len(self.model.graph.input)

    def get_input(self, index: int) -> Any:
        value = self.model.graph.input[index]
        value_shape = value.type.tensor_type.shape.dim
        shape = [size.dim_value or -1 for size in value_shape]
        return type("Input", (), {"name": value.name, "shape": shape})


class OnnxParser:
    num_errors = 0

    def __init__(self, network: Parsed, logger: ILogger) -> None:
        self._network = network

    def parse_from_file(self, path: str) -> bool:
        self._network.model = onnx.load(path)
        return True


class Config:
    """What an engine was asked to be."""

    def __init__(self) -> None:
        self.flags = {BuilderFlag.TF32}  # on by default, as TensorRT has it
        self.capabilities: list[ComputeCapability] = []
        self.num_compute_capabilities = 0
        self.hardware_compatibility_level: Any = None
        self.rows: dict[str, tuple[tuple[int, ...], ...]] = {}

    def clear_flag(self, flag: BuilderFlag) -> None:
        self.flags.discard(flag)

    def set_compute_capability(self, capability: ComputeCapability, index: int) -> None:
        assert index == len(self.capabilities) < self.num_compute_capabilities
        self.capabilities.append(capability)

    def add_optimization_profile(self, profile: "Profile") -> None:
        self.rows = profile.shapes


class Profile:
    def __init__(self) -> None:
        self.shapes: dict[str, tuple[tuple[int, ...], ...]] = {}

    def set_shape(self, name: str, *least_usual_most: tuple[int, ...]) -> None:
        self.shapes[name] = least_usual_most


class Builder:
    built: list[tuple[Parsed, Config]] = []  # noqa: RUF012 - of all, for tests to look at
    refuses = False

    def __init__(self, logger: Any) -> None:
        self._logger = logger
        self.create_network, self.create_builder_config = Parsed, Config
        self.create_optimization_profile = Profile

    def build_serialized_network(self, network: Parsed, config: Config) -> bytes | None:
        if Builder.refuses:
            self._logger.log(ILogger.ERROR, REFUSED)
            return None
        Builder.built.append((network, config))
        data: bytes = network.model.SerializeToString()
        return data


class Runtime:
    def __init__(self, logger: Any) -> None:
        self._logger = logger

    def deserialize_cuda_engine(self, data: bytes) -> "Engine | None":
        try:
            return Engine(onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"]))
        except Exception:  # noqa: BLE001 - of no kind but this
            self._logger.log(ILogger.ERROR, "the plan's header is damaged")
            return None


class Engine:
    def __init__(self, session: Any) -> None:
        self.session = session
        self._given = {each.name: each for each in session.get_inputs()}
        self._gives = {each.name: each for each in session.get_outputs()}
        self._names = [*self._given, *self._gives]
        self.num_io_tensors = len(self._names)

    def get_tensor_name(self, index: int) -> str:
        return self._names[index]

    def get_tensor_mode(self, name: str) -> TensorIOMode:
        return TensorIOMode.INPUT if name in self._given else TensorIOMode.OUTPUT

    def get_tensor_dtype(self, name: str) -> DataType:
        return TYPES[{**self._given, **self._gives}[name].type][0]

    def kind_of(self, name: str) -> Any:
        return TYPES[{**self._given, **self._gives}[name].type][1]

    def create_execution_context(self) -> "Context":
        return Context(self)


class Context:
    calls: list["Context"] = []  # noqa: RUF012 - of all, in order, for tests to look at
    fails = False
    unplaced: tuple[str, ...] = ()  # whose addresses are refused

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.addresses: dict[str, int] = {}

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self.shapes[name] = shape
        return not Context.fails

    def set_tensor_address(self, name: str, address: int) -> bool:
        self.addresses[name] = address
        return name not in Context.unplaced

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        """The shape of an output follows from those of the inputs, never from their values."""
        kind = self._engine.kind_of
        zeros = {each: np.zeros(shape, kind(each)) for each, shape in self.shapes.items()}
        return tuple(self._engine.session.run([name], zeros)[0].shape)

    def execute_async_v3(self, stream: int) -> bool:
        Context.calls.append(self)
        outputs = [each.name for each in self._engine.session.get_outputs()]
        inputs = {name: self._at(name, shape) for name, shape in self.shapes.items()}
        for name, array in zip(outputs, self._engine.session.run(outputs, inputs), strict=True):
            self._at(name, array.shape)[...] = array
        return True

    def _at(self, name: str, shape: tuple[int, ...]) -> Any:
        kind = np.dtype(self._engine.kind_of(name))
        count = math.prod(shape) * kind.itemsize
        memory = (ctypes.c_byte * count).from_address(self.addresses[name])
        return np.frombuffer(memory, kind).reshape(shape)
