"""Read an artifact's file with suspicion, and write it whole or not at all."""

import hashlib
import json
import os
import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mpm_deploy.artifact.format_1 import recipe_of_format_1
from mpm_deploy.artifact.manifest import FORMAT_1, REBUILD, Manifest
from mpm_deploy.artifact.trust import Signer, check_signature, make_signature, read_signature
from mpm_deploy.artifact.zip_directory import NO_ZIP, read_directory, read_record
from mpm_deploy.errors import ArtifactError
from mpm_deploy.support.files import written_atomically
from mpm_deploy.support.quoting import shown
from mpm_deploy.support.refusal import refusal
from mpm_deploy.support.strict_json import read_json

MANIFEST = "extra/mpm_manifest.json"
SIGNATURE = "extra/mpm_signature.json"  # signs the manifest, so the hash in it leaves it out
SAMPLE_IMAGE = "mpm/sample_image.u8"
SAMPLE_LABELS = "mpm/sample_labels.u8"

LARGEST_JSON = 1 << 20  # bytes of a manifest, or of a signature

_CHANGED = "changed since it was built: its hash differs"
_PART = 1 << 18  # bytes that are copied at once

TargetOf = Callable[[str], Path | None]


def read_manifest(path: Path | str, trust: Path | None = None) -> Manifest:
    """Read an artifact's manifest and check that the rest of the file is what it was.

    Args:
        path: A ``.pt``, ``.pt2``, ``.onnx.zip`` or ``.tensorrt.zip``.
        trust: Public keys, as `asked_trust` gives them, one of which must have signed it; None
            asks for no signature.

    Raises:
        ArtifactError: No such file; not an artifact; truncated, changed, foreign or newer; not
            signed with a trusted key.
        InputError: ``trust`` holds no keys, or what is none.
        MissingPackageError: Trust is asked, and what checks signatures is not installed.
    """
    with _Archive(Path(path)) as archive:
        if trust is not None:
            archive.check_signature(trust)
        return archive.checked_manifest()


def read_claimed_manifest(path: Path | str, trust: Path | None = None) -> Manifest:
    """Read an artifact's manifest, and check who has signed it, but not the rest of the file.

    For who opens a file: a look at its hash beforehand would be at what the path named then. So
    what is opened is checked as it is read: `unpack_checked`, `read_checked`, `copy_checked`.

    Raises:
        What `read_manifest` raises, but for a changed payload.
    """
    with _Archive(Path(path)) as archive:
        if trust is not None:
            archive.check_signature(trust)
        return archive.claimed_manifest()


def check_payload(path: Path, payload_sha256: str) -> None:
    """Check that an artifact's payload has the hash that its manifest claims.

    Raises:
        ArtifactError: It has not, or cannot be read.
    """
    unpack_checked(path, payload_sha256, lambda _: None)


def unpack_checked(path: Path, payload_sha256: str, target_of: TargetOf) -> None:
    """Write records of an artifact to files, and check its hash, in one reading.

    Until this returns, nobody may trust what was written.

    Args:
        path: The artifact.
        payload_sha256: As the manifest has it; without one, as while a file is being built, nothing
            is compared.
        target_of: Gives the file for a record, by its name without the top folder, or None.

    Raises:
        ArtifactError: The payload has another hash, or cannot be read.
        OSError: A file cannot be written.
    """
    with _Archive(path) as archive:
        archive.check_payload(payload_sha256, target_of)


def read_checked(path: Path, payload_sha256: str) -> bytes:
    """Read a whole artifact, and check the hash of what was read.

    Raises:
        ArtifactError: The payload has another hash, or cannot be read.
    """
    with _Archive(path) as archive:
        data = archive.read_all()
    with _Archive(path, data) as archive:
        archive.check_payload(payload_sha256)
    return data


@contextmanager
def copy_checked(path: Path, payload_sha256: str) -> Iterator[Path]:
    """Copy an artifact into memory for as long as the block lasts, and check the copy's hash.

    For what opens a path alone; a limit of a file's size counts here too.

    Raises:
        ArtifactError: The payload has another hash, or cannot be read.
        OSError: Memory is short.
    """
    descriptor = os.memfd_create("artifact")
    try:
        copy = Path(f"/proc/self/fd/{descriptor}")
        with _Archive(path) as archive:
            archive.copy_to(copy)
        with _Archive(path, copy) as archive:
            archive.check_payload(payload_sha256)
        yield copy
    finally:
        os.close(descriptor)


def read_signer(path: Path | str, trust: Path) -> Signer:
    """Say which trusted key has signed an artifact; checks and raises what `read_manifest` does."""
    with _Archive(Path(path)) as archive:
        signer = archive.check_signature(trust)
        archive.checked_manifest()
    return signer


def read_claimed_key(path: Path | str) -> str | None:
    """Return the fingerprint that an artifact's signature names, unchecked; None without one.

    Raises:
        ArtifactError: Not an artifact, or its signature is damaged.
    """
    with _Archive(Path(path)) as archive:
        record = archive.read_signature()
    return None if record is None else read_signature(path, record).key


def sign_artifact(path: Path, key: Path) -> str:
    """Sign an artifact, in place of a signature that it has; it changes as a whole or not at all.

    Args:
        path: The artifact.
        key: A private key of ed25519, in PEM.

    Returns:
        The key's fingerprint.

    Raises:
        ArtifactError: What `read_manifest` refuses.
        InputError: The key is none, or has a password; or the file cannot be written.
        MissingPackageError: What signs is not installed.
    """
    with _Archive(path) as archive:
        archive.checked_manifest()
        record = make_signature(archive.manifest, key)
    with written_atomically(path) as temporary:
        shutil.copyfile(path, temporary)
        with zipfile.ZipFile(temporary, "a", zipfile.ZIP_DEFLATED) as file:
            name = f"{file.namelist()[0].partition('/')[0]}/{SIGNATURE}"
            if name in file.NameToInfo:  # its bytes stay, and are no record any more
                file.filelist.remove(file.NameToInfo.pop(name))
            file.writestr(name, record)
    return read_signature(path, record).key


def read_recipe(path: Path | str) -> dict[str, Any]:
    """Read the recipe that an artifact was built from, also out of a file of format 1.

    Returns:
        The recipe's tables as they are written today, for `Recipe.from_dict`.

    Raises:
        ArtifactError: What `read_manifest` refuses, but for a file of format 1.
    """
    with _Archive(Path(path)) as archive:
        data = archive.manifest_data()
    if isinstance(data, dict) and data.get("format") == FORMAT_1:
        recipe = data.get("recipe")
        if not isinstance(recipe, dict):
            raise ArtifactError(f"{path}: manifest: recipe: expected a table", REBUILD)
        return recipe_of_format_1(recipe)
    return read_manifest(path).recipe


def read_sample(path: Path | str, manifest: Manifest) -> tuple[Tensor, Tensor]:
    """Read the sample: image ``(3, H, W)`` uint8, labels ``(H, W)`` of the label maps' type.

    Raises:
        ArtifactError: The file has no sample of its input's size.
    """
    height, width = manifest.input.height, manifest.input.width
    dtype = torch.uint8 if len(manifest.model.classes) <= 256 else torch.int16
    with _Archive(Path(path)) as archive:
        image = archive.read(SAMPLE_IMAGE, 3 * height * width)
        labels = archive.read(SAMPLE_LABELS, height * width * dtype.itemsize)
    if len(image) != 3 * height * width or len(labels) != height * width * dtype.itemsize:
        raise ArtifactError(f"{path}: its sample is not of its input's size", REBUILD)
    return (
        torch.frombuffer(bytearray(image), dtype=torch.uint8).view(3, height, width),
        torch.frombuffer(bytearray(labels), dtype=dtype).view(height, width),
    )


def write_artifact(
    payload: Path, target: Path, manifest: Manifest, sample_image: Tensor, sample_labels: Tensor
) -> None:
    """Make an artifact of a payload that torch wrote; ``target`` appears whole or not at all.

    Args:
        payload: The file to begin with; is left as it is.
        target: The artifact.
        manifest: Its ``payload_sha256`` is filled in here.
        sample_image: ``(3, H, W)`` uint8.
        sample_labels: ``(H, W)`` uint8, or int16 past 256 classes.
    """
    with written_atomically(target) as temporary:
        temporary.write_bytes(payload.read_bytes())
        with zipfile.ZipFile(temporary, "a", zipfile.ZIP_DEFLATED) as file:
            root = file.namelist()[0].split("/", 1)[0]
            file.writestr(f"{root}/{SAMPLE_IMAGE}", sample_image.contiguous().numpy().tobytes())
            file.writestr(f"{root}/{SAMPLE_LABELS}", sample_labels.contiguous().numpy().tobytes())
        with _Archive(temporary) as archive:
            manifest = replace(manifest, payload_sha256=archive.payload_sha256())
        Manifest.from_dict(manifest.to_dict(), where=str(target))  # as every reader will
        with zipfile.ZipFile(temporary, "a", zipfile.ZIP_DEFLATED) as file:
            file.writestr(f"{root}/{MANIFEST}", json.dumps(manifest.to_dict(), indent=1))


class _Archive:
    """A ZIP whose records lie under one top folder; every fault becomes an `ArtifactError`."""

    def __init__(self, path: Path, copy: Path | bytes | None = None) -> None:
        self._path = path
        self._read_from = copy or path

    def __enter__(self) -> "_Archive":
        try:
            source = self._read_from
            self._file = BytesIO(source) if isinstance(source, bytes) else source.open("rb")
        except (OSError, ValueError) as error:  # a name with a zero byte is a ValueError
            cure = "name a .pt, .pt2, .onnx.zip or .tensorrt.zip file"
            raise self._refusal("cannot be opened", error, cure) from error
        try:
            records = read_directory(self._file)
        except (OSError, ValueError) as error:
            self._file.close()
            if str(error) == NO_ZIP:
                raise self._error(NO_ZIP) from error
            raise self._refusal("not an artifact", error, REBUILD) from error
        self._records = {record.name.partition("/")[2]: record for record in records}
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self, name: str, most: int) -> bytes:
        """Return the bytes of one record, by its name without the top folder, if they are few."""
        if name not in self._records:
            raise self._error(f"not an artifact of mpm-deploy: it holds no {name}")
        size = self._records[name].size
        if size > most:
            raise self._error(f"record {name}: expected {most} bytes at most, got {size}")
        return b"".join(self._chunks(name))

    @cached_property
    def manifest(self) -> bytes:
        """The manifest record, read once: what is signed is what is parsed."""
        return self.read(MANIFEST, LARGEST_JSON)

    def manifest_data(self) -> Any:
        """Return the value that the manifest holds in JSON."""
        try:
            return read_json(self.manifest)
        except ValueError as error:
            raise self._error(f"its manifest is not JSON: {error}") from error

    def read_signature(self) -> bytes | None:
        """Return the signature record, if there is one."""
        return self.read(SIGNATURE, LARGEST_JSON) if SIGNATURE in self._records else None

    def claimed_manifest(self) -> Manifest:
        """Return the manifest, which claims what hash the payload has."""
        manifest = Manifest.from_dict(self.manifest_data(), where=str(self._path))
        if not manifest.payload_sha256:
            raise self._error(_CHANGED)
        return manifest

    def checked_manifest(self) -> Manifest:
        """Return the manifest, when the payload has the hash in it."""
        manifest = self.claimed_manifest()
        self.check_payload(manifest.payload_sha256)
        return manifest

    def check_payload(self, payload_sha256: str, target_of: TargetOf = lambda _: None) -> None:
        """Refuse a payload of another hash, if there is one; see `unpack_checked`."""
        if payload_sha256 not in ("", self.payload_sha256(target_of)):
            raise self._error(_CHANGED)

    def read_all(self) -> bytes:
        """Read the whole file."""
        self._file.seek(0)
        return self._file.read()

    def copy_to(self, copy: Path) -> None:
        """Copy the whole file."""
        self._file.seek(0)
        with copy.open("wb") as file:
            shutil.copyfileobj(self._file, file, _PART)

    def check_signature(self, trust: Path) -> Signer:
        """Return which of the trusted keys has signed the manifest; see `trust.check_signature`."""
        return check_signature(self._path, self.manifest, self.read_signature(), trust)

    def payload_sha256(self, target_of: TargetOf = lambda _: None) -> str:
        """Compute SHA-256 over all records but manifest and signature: name, 0, size and bytes.

        On the way, records are written to the files that ``target_of`` gives.
        """
        digest = hashlib.sha256()
        for name in sorted(self._records, key=str.encode):
            if name not in (MANIFEST, SIGNATURE):
                size = self._records[name].size
                digest.update(name.encode() + b"\0" + size.to_bytes(8, "little"))
                target = target_of(name)
                with nullcontext() if target is None else target.open("wb") as file:
                    for chunk in self._chunks(name):
                        digest.update(chunk)
                        if file is not None:
                            file.write(chunk)
        return digest.hexdigest()

    def _chunks(self, name: str) -> Iterator[bytes]:
        try:
            yield from read_record(self._file, self._records[name])
        except (OSError, ValueError, zlib.error) as error:
            raise self._refusal(
                f"damaged: record {shown(self._records[name].name)}", error, REBUILD
            ) from error

    def _error(self, problem: str) -> ArtifactError:
        return ArtifactError(f"{self._path}: {problem}", REBUILD)

    def _refusal(self, problem: str, error: Exception, cure: str) -> ArtifactError:
        what = f"{self._path}: {problem}"
        if isinstance(error, OSError):
            return refusal(ArtifactError, what, error, cure)
        return ArtifactError(f"{what}: {error}", cure)
