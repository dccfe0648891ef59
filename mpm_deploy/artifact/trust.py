"""Who vouches for an artifact: signatures with ed25519, and the keys that are trusted.

An artifact is a program, so where trust is asked only what a trusted key has signed is opened. A
signature is over the bytes of the manifest, and by the hash in it over everything else. Trust is
asked with a path: one public key in PEM, or a folder of them. `docs/guides/trust.md` says how keys
are made, changed and withdrawn; `cpp_runner/artifact/trust.cpp` does the same.
"""

import binascii
import hashlib
import json
import os
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal

from mpm_deploy.errors import ArtifactError, InputError, MissingPackageError
from mpm_deploy.support.refusal import refusal
from mpm_deploy.support.schema import read_structure
from mpm_deploy.support.strict_json import read_json

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

VARIABLE = "MPM_TRUST"
SYSTEM_KEYS = Path("/etc/mpm-deploy/trusted-keys")

_SIGN = "mpm-deploy sign FILE --key KEY.pem"
_NAME_PUBLIC = "name a public key, or a folder of them"
_MAKE_PUBLIC = "make one of a private key: openssl pkey -in KEY.pem -pubout -out NAME.pem"
_MAKE_PRIVATE = "make one: openssl genpkey -algorithm ed25519 -out KEY.pem"

_KEY = re.compile("[0-9a-f]{64}")
_SIGNATURE = re.compile("[0-9a-f]{128}")
# A public key of ed25519 in PEM: RFC 7468's lines around RFC 8410's DER, whose first 12 bytes are
# always the same. Libraries take more than that for a key, each something else.
_PUBLIC_KEY = re.compile(
    rb"-----BEGIN PUBLIC KEY-----\r?\nMCowBQYDK2VwAyEA([A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=)\r?\n"
    rb"-----END PUBLIC KEY-----"
)


@dataclass(frozen=True)
class Signature:
    """What an artifact's signature record holds; a claim, until it is checked.

    Attributes:
        algorithm: How it is signed.
        key: The fingerprint of the key, as `fingerprint` makes it.
        signature: 64 bytes in lower-case hex.
    """

    algorithm: Literal["ed25519"]
    key: str
    signature: str


@dataclass(frozen=True)
class Signer:
    """A trusted key that has signed an artifact.

    Attributes:
        name: The name of the key's file.
        key: Its fingerprint.
    """

    name: str
    key: str


def asked_trust(trust: Path | str | None = None, system: Path = SYSTEM_KEYS) -> Path | None:
    """Return the path of the keys that artifacts must be signed with, or None: any may run.

    Args:
        trust: What the caller asks for; goes over ``MPM_TRUST``, which goes over ``system``.
        system: Where a machine's owner puts keys; asks for trust where it exists.

    Raises:
        InputError: It cannot be seen whether the system has keys.
    """
    if trust is not None:
        return Path(trust)
    if named := os.environ.get(VARIABLE):
        return Path(named)
    try:
        system.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _unreadable(system, error, _NAME_PUBLIC) from error
    return system


def read_signature(path: Path | str, record: bytes) -> Signature:
    """Read the signature record of the artifact ``path``; whether it holds is not checked.

    Raises:
        ArtifactError: It is not of the format.
    """
    try:
        signature = read_structure(Signature, read_json(record))
    except ValueError as error:
        raise _damaged(path) from error
    if not (_KEY.fullmatch(signature.key) and _SIGNATURE.fullmatch(signature.signature)):
        raise _damaged(path)
    return signature


def check_signature(path: Path | str, manifest: bytes, record: bytes | None, trust: Path) -> Signer:
    """Check that a trusted key has signed an artifact's manifest.

    Args:
        path: The artifact, as messages name it.
        manifest: The manifest record.
        record: The signature record; None where there is none.
        trust: A public key, or a folder of them.

    Raises:
        ArtifactError: It is not signed, or with no trusted key, or changed since.
        InputError: There are no keys, or what is there is none.
        MissingPackageError: The package that knows ed25519 is not installed.
    """
    keys = _read_public_keys(trust)
    if record is None:
        raise ArtifactError(
            f"{path}: not signed, and only what is signed with a key of {trust} runs",
            f"have those who built it sign it: {_SIGN}",
        )
    signature = read_signature(path, record)
    if signature.key not in keys:
        raise ArtifactError(
            f"{path}: signed with key {signature.key}, which is none of {trust}",
            "have it signed with one of those, or put this key's public file there if you trust "
            "its owner",
        )
    name, key = keys[signature.key]
    if not _holds(key, manifest, bytes.fromhex(signature.signature)):
        raise ArtifactError(
            f"{path}: changed since it was signed: the signature by {name} does not fit its "
            "manifest",
            "copy the file again from where it was signed",
        )
    return Signer(name, signature.key)


def make_signature(manifest: bytes, key: Path) -> bytes:
    """Make the signature record for a manifest record, with the private key in a PEM file.

    Raises:
        InputError: The key cannot be read, or is none of ed25519, or has a password.
        MissingPackageError: The package that knows ed25519 is not installed.
    """
    private = _read_private_key(key)
    signature = Signature(
        "ed25519", fingerprint(private.public_key()), private.sign(manifest).hex()
    )
    return json.dumps(asdict(signature), indent=1).encode()


def fingerprint(key: "Ed25519PublicKey") -> str:
    """Return SHA-256 of a key's DER in lower-case hex: of its SubjectPublicKeyInfo, RFC 8410."""
    serialization = _cryptography().serialization
    der = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(der).hexdigest()


def _read_public_keys(trust: Path) -> dict[str, tuple[str, "Ed25519PublicKey"]]:
    """Read trusted keys; of each, by its fingerprint, its file's name and itself."""
    keys = [(file.name, _read_public_key(file)) for file in _public_key_files(trust)]
    return {fingerprint(key): (name, key) for name, key in reversed(keys)}


def _public_key_files(trust: Path) -> list[Path]:
    try:
        if not trust.is_dir():
            return [trust]
        files = sorted(file for file in trust.iterdir() if file.suffix == ".pem")
    except OSError as error:
        raise _unreadable(trust, error, _NAME_PUBLIC) from error
    if not files:
        raise InputError(f"{trust}: expected public keys, NAME.pem each, got none", _MAKE_PUBLIC)
    return files


def _read_public_key(file: Path) -> "Ed25519PublicKey":
    found = _PUBLIC_KEY.search(_read(file, _NAME_PUBLIC))
    if found is None:
        raise InputError(f"{file}: expected a public key of ed25519 in PEM", _MAKE_PUBLIC)
    key: Ed25519PublicKey = _cryptography().ed25519.Ed25519PublicKey.from_public_bytes(
        binascii.a2b_base64(found[1])
    )
    return key


def _read_private_key(file: Path) -> "Ed25519PrivateKey":
    load = _cryptography().serialization.load_pem_private_key
    text = _read(file, f"name your private key, or {_MAKE_PRIVATE}")
    key: Ed25519PrivateKey | None = _parsed(lambda text: load(text, password=None), text)
    if key is None or not isinstance(key, _cryptography().ed25519.Ed25519PrivateKey):
        raise InputError(
            f"{file}: expected a private key of ed25519 in PEM, without a password", _MAKE_PRIVATE
        )
    return key


def _read(file: Path, cure: str) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise _unreadable(file, error, cure) from error


def _parsed(load: Callable[[bytes], Any], text: bytes) -> Any:
    """Return the key in a PEM text; None where there is none, or one with a password."""
    unsupported = _cryptography().exceptions.UnsupportedAlgorithm
    try:
        return load(text)
    except (ValueError, TypeError, unsupported):
        return None


def _holds(key: "Ed25519PublicKey", manifest: bytes, signature: bytes) -> bool:
    try:
        key.verify(signature, manifest)
    except _cryptography().exceptions.InvalidSignature:
        return False
    return True


def _unreadable(path: Path, error: OSError, cure: str) -> InputError:
    return refusal(InputError, f"{path}: keys cannot be read", error, cure)


def _damaged(path: Path | str) -> ArtifactError:
    return ArtifactError(f"{path}: its signature is damaged", f"have it signed anew: {_SIGN}")


def _cryptography() -> SimpleNamespace:
    """Return the parts of the package that are used here."""
    try:
        from cryptography import exceptions
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError as error:
        raise MissingPackageError(
            "signing, and trusting what is signed, needs cryptography",
            "pip install 'mpm-deploy[trust]'",
        ) from error
    return SimpleNamespace(exceptions=exceptions, serialization=serialization, ed25519=ed25519)
