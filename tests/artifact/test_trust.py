"""Where trust is asked, what nobody vouches for is refused before anything in it is used."""

import hashlib
import io
import json
import struct
import subprocess
import sys
import zipfile
from contextlib import nullcontext

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from mpm_deploy import Runner
from mpm_deploy.artifact import (
    asked_trust,
    read_claimed_key,
    read_manifest,
    read_signer,
    sign_artifact,
    write_artifact,
)
from mpm_deploy.artifact.archive import MANIFEST, SIGNATURE
from mpm_deploy.artifact.trust import make_signature
from mpm_deploy.artifact.zip_directory import read_record
from mpm_deploy.errors import ArtifactError, InputError, MissingPackageError
from tests.artifact.test_artifact import IMAGE, LABELS, rewritten, with_manifest
from tests.support import toy

PEM = serialization.Encoding.PEM
# The first test of RFC 8032, whose public key's base64 ends in "Ro=".
RFC_8032_SECRET = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"


def write_private(key, path, password=None):
    encryption = (
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption()
    )
    path.write_bytes(key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, encryption))
    return path


def write_public(key, path):
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    path.write_bytes(key.public_key().public_bytes(PEM, form))
    return path


@pytest.fixture
def private(tmp_path):
    return write_private(ed25519.Ed25519PrivateKey.generate(), tmp_path / "private.pem")


@pytest.fixture
def keys(tmp_path, private):
    """A folder of two keys that are trusted, ``private`` and another one."""
    folder = tmp_path / "keys"
    folder.mkdir()
    key = serialization.load_pem_private_key(private.read_bytes(), None)
    write_public(key, folder / "release.pem")
    write_public(ed25519.Ed25519PrivateKey.generate(), folder / "another.pem")
    (folder / "README").write_text("no key")
    return folder


@pytest.fixture
def unsigned(tmp_path):
    payload, target = tmp_path / "payload.zip", tmp_path / "toy.pt"
    with zipfile.ZipFile(payload, "w") as file:
        file.writestr("toy/version", b"3\n")  # without it torch takes it for no file of its own
        file.writestr("toy/data.pkl", b"not really")
        file.writestr("toy/code/model.py", b"nor this")
    write_artifact(payload, target, toy.MANIFEST, IMAGE, LABELS)
    return target


@pytest.fixture
def signed(unsigned, private):
    sign_artifact(unsigned, private)
    return unsigned


def with_signature(path, change):
    def edit(name, content):
        return change(content) if name.endswith(SIGNATURE) else content

    return rewritten(path, edit)


def test_what_a_trusted_key_has_signed_is_read(signed, keys):
    assert read_manifest(signed, keys) == read_manifest(signed)
    assert read_manifest(signed, keys / "release.pem") == read_manifest(signed)
    signer = read_signer(signed, keys)
    assert signer.name == "release.pem"
    assert signer.key == read_claimed_key(signed)


def test_what_is_not_signed_is_refused(unsigned, keys):
    assert read_claimed_key(unsigned) is None
    with pytest.raises(ArtifactError, match="not signed") as caught:
        read_manifest(unsigned, keys)
    assert "mpm-deploy sign" in caught.value.hint


def test_a_removed_signature_is_missed(signed, keys):
    with pytest.raises(ArtifactError, match="not signed"):
        read_manifest(with_signature(signed, lambda _: None), keys)


def test_a_key_that_is_not_trusted_is_named(signed, keys):
    with pytest.raises(ArtifactError, match=read_claimed_key(signed)):
        read_manifest(signed, keys / "another.pem")


def test_a_changed_manifest_is_refused(signed, keys):
    with_manifest(signed, lambda data: data["requires"].update(device="cuda"))
    with pytest.raises(ArtifactError, match=r"signature by release\.pem does not fit"):
        read_manifest(signed, keys)


def test_a_changed_payload_is_refused(signed, keys):
    rewritten(signed, lambda name, data: data + b"x" if name.endswith("model.py") else data)
    with pytest.raises(ArtifactError, match="changed since it was built"):
        read_manifest(signed, keys)


def test_a_signature_in_another_keys_name_is_refused(signed, keys):
    """What a file says of its signer is a claim."""
    stranger = write_private(ed25519.Ed25519PrivateKey.generate(), keys.parent / "stranger.pem")
    claimed = read_claimed_key(signed)
    sign_artifact(signed, stranger)
    with_signature(signed, lambda text: json.dumps({**json.loads(text), "key": claimed}))
    with pytest.raises(ArtifactError, match="does not fit"):
        read_manifest(signed, keys)


@pytest.mark.parametrize(
    "record",
    [
        *(b"", b"{}", b"[]", b"\xff"),
        b'{"algorithm": "none", "key": "%s", "signature": "%s"}' % (b"0" * 64, b"0" * 128),
        b'{"algorithm": "ed25519", "key": "%s", "signature": "%s"}' % (b"0" * 63, b"0" * 128),
        b'{"algorithm": "ed25519", "key": "%s", "signature": "%s"}' % (b"0" * 64, b"g" * 128),
    ],
)
def test_a_damaged_signature_is_told(signed, keys, record):
    with_signature(signed, lambda _: record)
    with pytest.raises(ArtifactError, match="its signature is damaged"):
        read_manifest(signed, keys)


def test_signing_again_takes_the_place_of_the_signature(signed, keys):
    first = read_claimed_key(signed)
    other = write_private(ed25519.Ed25519PrivateKey.generate(), keys.parent / "other.pem")
    assert sign_artifact(signed, other) == read_claimed_key(signed) != first
    with zipfile.ZipFile(signed) as file:
        assert len({*file.namelist()}) == len(file.namelist())
        assert file.testzip() is None


def test_a_changed_file_is_not_signed(unsigned, private):
    rewritten(unsigned, lambda name, data: data + b"x" if name.endswith("model.py") else data)
    before = unsigned.read_bytes()
    with pytest.raises(ArtifactError, match="changed since it was built"):
        sign_artifact(unsigned, private)
    assert unsigned.read_bytes() == before


def two_ways(signed, change):
    """Make a file that zipfile reads as ``signed``, and torch as what ``change`` makes of it.

        other records │ their directory │ signed records │ their directory │ end
                        ▲ where the end says the directory is   ▲ where it is, before the end

    zipfile takes a difference for a program in front of the zip, and adds it to every place.
    """
    file = signed.read_bytes()
    end = file.rfind(b"PK\5\6")
    size, begin = struct.unpack("<II", file[end + 12 : end + 20])
    other = io.BytesIO()
    with zipfile.ZipFile(signed) as source, zipfile.ZipFile(other, "w") as target:
        for info in source.infolist():
            target.writestr(info.filename, change(info.filename, source.read(info)))
        records = target.fp.tell()
    content = other.getvalue()[:records].ljust(begin, b"\0")
    content += other.getvalue()[records:][:size]
    shift = len(content) - (len(content) + begin - max(records, begin))
    directory = bytearray(file[begin : begin + size])
    at = 0
    while at < size:
        lengths = struct.unpack("<HHH", directory[at + 28 : at + 34])
        (place,) = struct.unpack("<I", directory[at + 42 : at + 46])
        directory[at + 42 : at + 46] = struct.pack("<I", place + shift)
        at += 46 + sum(lengths)
    tail = bytearray(file[end:])
    tail[16:20] = struct.pack("<I", max(records, begin))
    return content + file[:begin] + directory + tail


def test_what_two_readers_may_read_in_two_ways_is_refused(signed, keys):
    def change(name, data):
        return b"evil one" if name.endswith("model.py") else data

    signed.write_bytes(two_ways(signed, change))
    with zipfile.ZipFile(signed) as file:  # sees what was signed
        assert file.testzip() is None
    for trust in (None, keys):
        with pytest.raises(ArtifactError, match="its directory is not where it says"):
            read_manifest(signed, trust)


def test_what_was_signed_is_what_is_parsed(signed, keys, monkeypatch):
    """No record is read twice: a file that is written to meanwhile cannot show another manifest."""
    read = []

    def read_once(file, record):
        read.append(record.name)
        return read_record(file, record)

    monkeypatch.setattr("mpm_deploy.artifact.archive.read_record", read_once)
    read_manifest(signed, keys)
    assert len(read) == len(set(read)) > 1


def test_a_runner_asks_before_it_loads(signed, keys, monkeypatch):
    def load(*_):
        raise AssertionError("loaded")

    monkeypatch.setattr("mpm_deploy.backends.torchscript.backend.TorchScript.load", load)
    with pytest.raises(ArtifactError, match="which is none of"):
        Runner(signed, trust=keys / "another.pem")
    monkeypatch.setenv("MPM_TRUST", str(keys / "another.pem"))
    with pytest.raises(ArtifactError, match="which is none of"):
        Runner(signed)
    with pytest.raises(AssertionError, match="loaded"):
        Runner(signed, trust=keys)


def test_who_asks_for_trust(tmp_path, monkeypatch):
    monkeypatch.delenv("MPM_TRUST", raising=False)
    system = tmp_path / "system"
    assert asked_trust(system=system) is None
    system.symlink_to("nowhere")  # there, and of no use: not the same as not there
    assert asked_trust(system=system) == system
    monkeypatch.setenv("MPM_TRUST", "variable")
    assert str(asked_trust(system=system)) == "variable"
    assert str(asked_trust("argument", system)) == "argument"
    monkeypatch.setenv("MPM_TRUST", "")
    assert asked_trust(system=system) == system


def test_trust_without_keys_trusts_nobody(signed, tmp_path, private):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"NAME\.pem each, got none"):
        read_manifest(signed, tmp_path / "empty")
    with pytest.raises(InputError, match="keys cannot be read: No such file"):
        read_manifest(signed, tmp_path / "missing")
    with pytest.raises(InputError, match="expected a public key of ed25519"):
        read_manifest(signed, private)
    other = write_public(ec.generate_private_key(ec.SECP256R1()), tmp_path / "other.pem")
    with pytest.raises(InputError, match="expected a public key of ed25519"):
        read_manifest(signed, other)


def test_a_private_key_that_cannot_be_read_has_a_cure_of_its_own(tmp_path):
    with pytest.raises(InputError, match="keys cannot be read: No such file") as caught:
        make_signature(b"{}", tmp_path / "missing.pem")
    assert caught.value.hint.startswith("name your private key, or make one: openssl genpkey")


@pytest.mark.parametrize(
    ("old", "new", "is_key"),
    [
        (b"\n", b"\r\n", True),
        (b"-----BEGIN", b"a note\n-----BEGIN", True),
        (b"-----END", b"-0\n-----END", False),
        (b"=\n", b"AAAA=\n", False),  # more than a key
        (b"o=\n", b"p=\n", False),  # bits behind the last byte
        (b"VwAyEA", b"VwAyEB", False),
        (b"\n-----END PUBLIC KEY-----\n", b"", False),
    ],
)
def test_only_one_text_is_a_key(unsigned, tmp_path, old, new, is_key):
    key = ed25519.Ed25519PrivateKey.from_private_bytes(bytes.fromhex(RFC_8032_SECRET))
    public = write_public(key, tmp_path / "release.pem")
    sign_artifact(unsigned, write_private(key, tmp_path / "private.pem"))
    assert old in public.read_bytes()
    public.write_bytes(public.read_bytes().replace(old, new))
    with nullcontext() if is_key else pytest.raises(InputError, match="expected a public key"):
        read_manifest(unsigned, public)


def test_a_key_with_a_password_is_told(unsigned, tmp_path):
    key = write_private(ed25519.Ed25519PrivateKey.generate(), tmp_path / "locked.pem", b"word")
    with pytest.raises(InputError, match="without a password"):
        sign_artifact(unsigned, key)


def test_without_the_package_nothing_is_trusted(signed, keys, monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric", None)
    with pytest.raises(MissingPackageError) as caught:
        read_manifest(signed, keys)
    assert "mpm-deploy[trust]" in caught.value.hint
    assert read_manifest(signed)


def test_fingerprints_are_those_of_openssl(signed, keys):
    """As `openssl pkey -pubin -in NAME.pem -outform DER | sha256sum` prints them."""
    openssl = ["openssl", "pkey", "-pubin", "-in", keys / "release.pem", "-outform", "DER"]
    der = subprocess.run(openssl, capture_output=True, check=True).stdout
    assert hashlib.sha256(der).hexdigest() == read_claimed_key(signed)


def test_the_signature_is_over_the_manifest_as_it_is(signed, keys):
    with zipfile.ZipFile(signed) as file:
        records = {name.partition("/")[2]: file.read(name) for name in file.namelist()}
    signature = json.loads(records[SIGNATURE])
    public = serialization.load_pem_public_key((keys / "release.pem").read_bytes())
    public.verify(bytes.fromhex(signature["signature"]), records[MANIFEST])
