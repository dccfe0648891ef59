"""Hold the backends: the only place where a recipe's backend becomes code."""

from pathlib import Path

from mpm_deploy.artifact import read_manifest
from mpm_deploy.artifact.host import check_host, parse_device
from mpm_deploy.backends.aotinductor import AotInductor
from mpm_deploy.backends.base import Backend, Compiled, OpenArtifact, Program
from mpm_deploy.backends.torchscript import TorchScript

__all__ = [
    "BACKENDS",
    "Backend",
    "Compiled",
    "OpenArtifact",
    "Program",
    "get_backend",
    "open_artifact",
]

BACKENDS: dict[str, Backend] = {backend.name: backend for backend in (AotInductor(), TorchScript())}


def get_backend(name: str) -> Backend:
    """Return the backend that recipes and manifests call ``name``."""
    return BACKENDS[name]


def open_artifact(path: Path | str, device: str | None = None) -> OpenArtifact:
    """Open an artifact: read it strictly, check this machine, and only then load what is in it.

    Args:
        path: A ``.pt`` or ``.pt2``.
        device: ``"cpu"``, ``"cuda"``, ``"cuda:1"``; None is the one it was built for.

    Raises:
        ArtifactError: Missing, damaged, foreign or newer.
        HostError: It does not fit this machine.
        InputError: No such device name.
    """
    manifest = read_manifest(path)
    device = device or manifest.requires.device
    check_host(manifest, device, path)
    backend = get_backend(manifest.requires.backend)
    return OpenArtifact(manifest, backend.load(Path(path), manifest, parse_device(device)))
