"""Find the libraries that build engines and run them: TensorRT, and TensorRT for RTX.

They have one interface. TensorRT builds for the GPU that it finds; TensorRT for RTX builds for any
GPU that it can name, on a machine that needs none.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, NamedTuple

from mpm_deploy.errors import MissingPackageError
from mpm_deploy.support.refusal import line_of

Capability = tuple[int, int]  # of a GPU: major, minor
_OF_A_WHEEL = re.compile(r"\.post\d+$")  # its makers packed the same library once more


@dataclass(frozen=True)
class Flavor:
    """One of the libraries.

    Args:
        name: Its name in recipes, manifests and records.
        title: Its name in sentences.
        modules: The names that its Python module goes by, of which one is there.
        packages: What pip installs.
        names_gpus: Whether it builds for a GPU that is only named.
    """

    name: str
    title: str
    modules: tuple[str, ...]
    packages: str
    names_gpus: bool

    def load(self) -> "Library":
        """Import its module.

        Raises:
            MissingPackageError: It is not installed, or cannot be loaded.
        """
        problem = f"there is no module {self.modules[0]}"
        for name in self.modules:
            try:
                return Library(self, import_module(name))
            except (ImportError, OSError) as error:  # as where its shared library is not found
                if not (isinstance(error, ModuleNotFoundError) and error.name == name):
                    problem = line_of(error)
        raise MissingPackageError(
            f"{self.title} is not installed: {problem}", f"pip install {self.packages}"
        )


class Library(NamedTuple):
    """A flavor that is installed, and its module."""

    flavor: Flavor
    module: Any

    @property
    def version(self) -> str:
        """The numbers of its version, three or four: an engine is for one alone."""
        return _OF_A_WHEEL.sub("", str(self.module.__version__))

    @property
    def title(self) -> str:
        """Its name and version, for sentences."""
        return f"{self.flavor.title} {self.version}"

    def capabilities(self) -> Mapping[Capability, Any]:
        """Return the GPUs that it can name, by their capability."""
        if not self.flavor.names_gpus:
            return {}
        kinds = self.module.ComputeCapability.__members__
        numbers = {name.removeprefix("SM"): kind for name, kind in kinds.items()}
        return {(int(n[:-1]), int(n[-1])): kind for n, kind in numbers.items() if n.isdecimal()}

    def name_of(self, capability: Capability) -> Any | None:
        """Return its name for GPUs of a capability; None where it names none.

        One that it has no name for is that of the GPU that is current.
        """
        if not self.flavor.names_gpus:
            return None
        return self.capabilities().get(capability, self.module.ComputeCapability.CURRENT)

    def same_capability(self) -> Any | None:
        """Return what asks for engines for every GPU of this one's capability, if it knows that."""
        levels = getattr(self.module, "HardwareCompatibilityLevel", None)
        return getattr(levels, "SAME_COMPUTE_CAPABILITY", None)


FLAVORS = {
    flavor.name: flavor
    for flavor in (
        Flavor("tensorrt", "TensorRT", ("tensorrt",), "tensorrt", names_gpus=False),
        Flavor(
            "tensorrt_rtx",
            "TensorRT for RTX",
            # The second name is that of the wheels for one version of CUDA.
            ("tensorrt_rtx", "tensorrt_rtx_bindings"),
            "tensorrt-rtx-cu13-libs tensorrt-rtx-cu13-bindings",
            names_gpus=True,
        ),
    )
}


def parse_capability(text: str) -> Capability | None:
    """Read a capability as it is written, ``"8.6"``; None where it is none."""
    major, dot, minor = text.partition(".")
    if not (dot and major.isdecimal() and minor.isdecimal() and len(text) < 8):
        return None
    return int(major), int(minor)


def written(capability: Capability) -> str:
    """Write a capability as ``"8.6"``."""
    return f"{capability[0]}.{capability[1]}"


def is_same_version(made: str, here: str) -> bool:
    """Say whether an engine's version is that of a library, as far as both count.

    On some machines, as a Jetson, the module says ``"10.3.0"`` where the library in C++ says
    ``"10.3.0.30"``. Whichever of them made the engine, the numbers that both say decide, three at
    least; a library that differs in what is left refuses the engine itself.
    """
    shorter, longer = sorted((made, here), key=len)
    return made == here or (shorter.count(".") >= 2 and longer.startswith(f"{shorter}."))


def installed_versions() -> dict[str, str]:
    """Return the version of every flavor that can be loaded here, by its name."""
    versions = {}
    for flavor in FLAVORS.values():
        try:
            versions[flavor.name] = flavor.load().version
        except MissingPackageError:
            continue
    return versions
