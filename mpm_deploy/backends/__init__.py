"""Hold the backends: the only place where a recipe's backend becomes code."""

from pathlib import Path

from mpm_deploy.artifact import Manifest, asked_trust, check_payload, read_claimed_manifest
from mpm_deploy.artifact.host import parse_device
from mpm_deploy.backends.base import Backend, Compiled, OpenArtifact, Program, Servable
from mpm_deploy.backends.devices import with_index
from mpm_deploy.errors import HostError
from mpm_deploy.families import BACKENDS

__all__ = [
    "BACKENDS",
    "Backend",
    "Compiled",
    "OpenArtifact",
    "Program",
    "Servable",
    "get_backend",
    "open_artifact",
]


def get_backend(name: str, where: Path | str = "artifact") -> Backend:
    """Return the backend that manifests call ``name``, as it opens files.

    Raises:
        HostError: There is none of that name here; says of which file.
    """
    if name not in BACKENDS:
        raise HostError(
            f"{where}: built for backend {name!r}, and this program has {', '.join(BACKENDS)}",
            "install the package that brings it, or rebuild the artifact with another backend",
        )
    backend: Backend = BACKENDS[name]()
    return backend


def open_artifact(
    path: Path | str, device: str | None = None, trust: Path | str | None = None
) -> OpenArtifact:
    """Open an artifact: read it strictly, check this machine, and only then load what is in it.

    To load one is to run its code, so this is where trust is asked, if it is.

    Args:
        path: A ``.pt``, ``.pt2``, ``.onnx.zip`` or ``.tensorrt.zip``.
        device: ``"cpu"``, ``"cuda"``, ``"cuda:1"``; None is the one it was built for. Without a
            number it is the GPU that is current in torch, and stays that one.
        trust: A public key, or a folder of them, one of which must have signed it; None asks what
            the environment and the system do, see `asked_trust`.

    Raises:
        ArtifactError: Missing, damaged, foreign or newer; not signed with a trusted key.
        HostError: It does not fit this machine.
        InputError: No such device name, or no keys to trust.
        MissingPackageError: Trust is asked, and what checks signatures is not installed.
    """
    manifest = read_claimed_manifest(path, asked_trust(trust))
    backend = get_backend(manifest.requires.backend, path)
    device = device or _own_device(path, manifest)
    backend.check_host(manifest, device, Path(path))
    if not backend.checks_hash:
        check_payload(Path(path), manifest.payload_sha256)
    # A forked child may have to open it again, and be in another folder.
    file = Path(path).absolute()
    where = with_index(parse_device(device))
    return OpenArtifact(manifest, backend.load(file, manifest, where))


def _own_device(path: Path | str, manifest: Manifest) -> str:
    """Return the device that an artifact was built for, if this program knows that kind."""
    device = manifest.requires.device
    if device not in ("cpu", "cuda"):
        raise HostError(
            f"{path}: built for device {device!r}, and this program runs on 'cpu' and 'cuda'",
            "rebuild it for one of these, or update this package",
        )
    return device
