"""Make engines of segments.

Networks are strongly typed: an operator computes in the type that its segment has for it, so
similarities are float32 whatever the tokens are, and TF32, which TensorRT would multiply float32
with, is off. Rows are the only size that changes, from 1 to as many as a buffer has.
"""

import platform
from functools import cache
from pathlib import Path
from typing import Any

from mpm_deploy.backends.segments.files import SEGMENTS, segment_files
from mpm_deploy.backends.tensorrt.engine_info import EngineInfo
from mpm_deploy.backends.tensorrt.flavors import Capability, Library
from mpm_deploy.backends.tensorrt.heard import Heard

# Of the rows in front of a merge: kernels are chosen for so many, and run for any other number. The
# demo model's two merges leave 0.74 and 0.77 on the image that README shows.
_USUALLY_KEPT = 0.75


def add_engines(library: Library, folder: Path, rows: int, capability: Capability) -> EngineInfo:
    """Make an engine of each segment in a folder, and put them beside those.

    Args:
        library: What makes them.
        folder: Holds ``segments``; gets the folder that `EngineInfo.folder` names.
        rows: How many rows a buffer of tokens has at most.
        capability: That of the GPU that they are for, which the library must be able to name; else
            it is that of the GPU that is current.

    Raises:
        RuntimeError: The library refuses a segment; says which, and its reason.
    """
    files = segment_files(folder / SEGMENTS)
    engines = []
    for merges, file in enumerate(files):
        usual = max(1, round(rows * _USUALLY_KEPT**merges))
        engines.append(_build(library, file, (usual, rows), capability))
    sizes = tuple(len(engine) for engine in engines)
    info = EngineInfo(library.flavor.name, library.version, capability, platform.machine(), sizes)
    (folder / info.folder).mkdir(parents=True, exist_ok=True)
    for merges, engine in enumerate(engines):
        (folder / info.folder / f"{merges}.engine").write_bytes(engine)
    return info


def parsed(library: Library, file: Path, listener: Any) -> tuple[Any, Any]:
    """Read a segment into a network of a library.

    Returns:
        The builder, and its network.

    Raises:
        RuntimeError: The library has no layer for one of its operators, or CUDA cannot start.
    """
    trt = library.module
    builder = started(trt.Builder, listener)
    strongly_typed = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    network = builder.create_network(strongly_typed)
    parser = trt.OnnxParser(network, listener)
    if not parser.parse_from_file(str(file)):
        refused = [parser.get_error(index) for index in range(parser.num_errors)]
        told = [f"{each.node_name()} ({each.node_operator()}): {each.desc()}" for each in refused]
        said = listener.heard.said()  # the same errors, or what kept it from reading at all
        raise RuntimeError(f"segment {file.name}: {'; '.join(told) or said}")
    return builder, network


@cache
def listener_of(library: Library) -> Any:
    """Return what a library tells its errors to, ``heard``, which is for one operation at a time.

    It is one for as long as this process lives: a library keeps the first that it was told of, for
    what is of no one engine.
    """
    kind: Any = library.module.ILogger

    class Listener(kind):  # type: ignore[misc]
        def __init__(self) -> None:
            kind.__init__(self)
            self.heard = Heard()

        def log(self, severity: Any, message: str) -> None:
            if severity <= kind.WARNING:
                self.heard.hear(message, is_error=severity <= kind.ERROR)

    return Listener()


def started(kind: Any, listener: Any) -> Any:
    """Make a builder or a runtime, with which a library begins.

    Raises:
        RuntimeError: CUDA cannot start; says why.
    """
    listener.heard.begin()
    try:
        return kind(listener)
    except TypeError as error:  # pybind11's word for one that was not made
        raise RuntimeError(f"CUDA cannot start: {listener.heard.said()}") from error


def _build(library: Library, file: Path, rows: tuple[int, int], capability: Capability) -> bytes:
    trt, listener = library.module, listener_of(library)
    builder, network = parsed(library, file, listener)
    config = builder.create_builder_config()
    config.clear_flag(trt.BuilderFlag.TF32)  # it is on by default, in strongly typed networks too
    _set_gpus(config, library, capability)
    _add_profile(builder, network, config, rows)
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        raise RuntimeError(f"segment {file.name}: {listener.heard.said()}")
    return bytes(memoryview(engine))


def _set_gpus(config: Any, library: Library, capability: Capability) -> None:
    """Have engines run on every GPU of a capability, and be made for no other.

    TensorRT for RTX makes them for several capabilities where none is named. TensorRT makes them
    for the model of the GPU alone where it is not asked for its capability: it can be since 10.9.
    """
    named, level = library.name_of(capability), library.same_capability()
    if named is not None:
        config.num_compute_capabilities = 1
        config.set_compute_capability(named, 0)
    elif level is not None:
        config.hardware_compatibility_level = level


def _add_profile(builder: Any, network: Any, config: Any, rows: tuple[int, int]) -> None:
    """Say how many rows inputs may have: one, usually so many, at most so many."""
    usual, most = rows
    profile = builder.create_optimization_profile()
    inputs = [network.get_input(index) for index in range(network.num_inputs)]
    dynamic = [each for each in inputs if each.shape[0] == -1]
    for each in dynamic:
        rest = tuple(each.shape)[1:]
        profile.set_shape(each.name, (1, *rest), (usual, *rest), (most, *rest))
    if dynamic:
        config.add_optimization_profile(profile)
