"""Where trust is asked, both programs run the same files, and say the same of the others."""

import json
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from mpm_deploy.artifact import sign_artifact


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two private keys, and in ``trusted`` and ``other`` the public key of each."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("trusted", "other"):
        (folder / name).mkdir()
        private, public = folder / f"{name}.pem", folder / name / "release.pem"
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", private], check=True)
        subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True)
    (folder / "empty").mkdir()
    (folder / "wrong").mkdir()
    (folder / "wrong" / "private.pem").write_bytes((folder / "trusted.pem").read_bytes())
    return folder


@pytest.fixture
def signed(artifact: Path, folder: Path, tmp_path: Path) -> Path:
    """An artifact that ``trusted`` has signed."""
    path = tmp_path / "signed.pt"
    path.write_bytes(artifact.read_bytes())
    sign_artifact(path, folder / "trusted.pem")
    return path


Edit = Callable[[str, bytes], bytes | None]


def edited(path: Path, edit: Edit) -> None:
    """Write the archive anew, each record passed through ``edit(name, content)``."""
    with zipfile.ZipFile(path) as file:
        records = [(name, edit(name, file.read(name))) for name in file.namelist()]
    with zipfile.ZipFile(path, "w") as file:
        for name, content in records:
            if content is not None:
                file.writestr(name, content)


def without_signature(name: str, content: bytes) -> bytes | None:
    return None if name.endswith("mpm_signature.json") else content


def with_damaged_signature(name: str, content: bytes) -> bytes:
    return b"{}" if name.endswith("mpm_signature.json") else content


def with_other_code(name: str, content: bytes) -> bytes:
    return content + b"\n" if name.endswith(".py") else content


def with_other_manifest(name: str, content: bytes) -> bytes:
    if not name.endswith("mpm_manifest.json"):
        return content
    manifest = json.loads(content)
    manifest["weights"]["origin"] = "demo"
    return json.dumps(manifest).encode()


def stderr_of(answer: "subprocess.CompletedProcess[str]") -> list[str]:
    return [line for line in answer.stderr.splitlines() if line.startswith(("error", "  hint"))]


@pytest.mark.parametrize("keys", ["trusted", "trusted/release.pem"])
def test_what_a_trusted_key_has_signed_runs(
    signed, folder, keys, image_folder, cpp_runner, mpm_deploy, tmp_path
):
    for run in (mpm_deploy, cpp_runner):
        words = ("run", signed, image_folder, "-o", tmp_path / "out", "--trust", folder / keys)
        answer = run(*words)
        assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize(
    ("edit", "trust", "said"),
    [
        (without_signature, "trusted", "not signed, and only what is signed with a key of"),
        (with_damaged_signature, "trusted", "its signature is damaged"),
        (with_other_manifest, "trusted", "the signature by release.pem does not fit its manifest"),
        (with_other_code, "trusted", "changed since it was built: its hash differs"),
        (None, "other", "which is none of"),
        (None, "empty", "expected public keys, NAME.pem each, got none"),
        (None, "wrong", "expected a public key of ed25519 in PEM"),
        (None, "missing", "keys cannot be read: No such file or directory"),
    ],
)
def test_both_say_why_it_does_not_run(
    signed, folder, edit, trust, said, image_folder, cpp_runner, mpm_deploy, tmp_path
):
    if edit is not None:
        edited(signed, edit)
    words = ("run", signed, image_folder, "-o", tmp_path / "out")
    python = mpm_deploy(*words, "--trust", folder / trust)
    cpp = cpp_runner(*words, "--trust", folder / trust)
    assert python.returncode == cpp.returncode == 1
    assert stderr_of(python) == stderr_of(cpp)
    assert said in stderr_of(python)[0]
    assert len(stderr_of(python)) == 2
    assert not (tmp_path / "out").exists()


def test_the_variable_holds_in_the_processes_that_are_timed(
    signed, folder, image_folder, cpp_command, cpp_runner, mpm_deploy, monkeypatch
):
    monkeypatch.setenv("MPM_TRUST", str(folder / "other"))
    words = ("bench", signed, image_folder, "--batch", "1", "--repeats", "1", "--warmup", "1")
    for program in ((), ("--program", *cpp_command)):
        answer = mpm_deploy(*words, *program)
        assert answer.returncode == 1
        assert "which is none of" in answer.stderr
    assert "which is none of" in cpp_runner(signed, image_folder).stderr
    monkeypatch.setenv("MPM_TRUST", str(folder / "trusted"))
    assert mpm_deploy(*words).returncode == 0


def test_inspect_and_verify_say_who_signed(artifact, signed, folder, mpm_deploy, tmp_path):
    verify = mpm_deploy("verify", signed, "--trust", folder / "trusted")
    assert verify.returncode == 0
    assert "signed by release.pem, key " in verify.stdout
    assert mpm_deploy("verify", signed, "--trust", folder / "other").returncode == 1
    assert "expected keys to trust, got none" in mpm_deploy("verify", signed).stderr

    def signature(*words: object) -> str:
        answer = mpm_deploy("inspect", *words)
        assert answer.returncode == 0, answer.stderr
        return " ".join(answer.stdout[answer.stdout.index("\nsignature") :].split())

    assert signature(artifact) == "signature none"
    assert "not checked, as no trust is asked: key" in signature(signed)
    assert "by release.pem, trusted: key" in signature(signed, "--trust", folder / "trusted")
    assert "which is none of" in signature(signed, "--trust", folder / "other")


def test_signing_changes_nothing_else(artifact, signed):
    with zipfile.ZipFile(artifact) as before, zipfile.ZipFile(signed) as after:
        records = {name: after.read(name) for name in after.namelist()}
        assert records.items() >= {name: before.read(name) for name in before.namelist()}.items()
        assert len(records) == len(before.namelist()) + 1
