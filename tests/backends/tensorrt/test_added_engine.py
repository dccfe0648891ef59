"""`mpm-deploy engine`: one engine more in the same file, or the file as it was."""

import shutil
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from mpm_deploy import Runner
from mpm_deploy.artifact import read_claimed_key, read_manifest, sign_artifact
from mpm_deploy.backends import get_backend
from mpm_deploy.backends.tensorrt.engine_info import engines_of, rows_of
from mpm_deploy.builder import engine as builder
from mpm_deploy.builder.engine import add_engine
from mpm_deploy.cli import main
from mpm_deploy.errors import (
    AgreementError,
    ArtifactError,
    BuildError,
    HostError,
    InputError,
    MissingPackageError,
    MpmError,
)
from tests.conftest import INPUT_SIZE

for package in ("onnx", "onnxscript", "onnxruntime"):
    pytest.importorskip(package)

from tests.backends.tensorrt import stand_in  # noqa: E402


def records(path: Path) -> dict[str, int]:
    """The checksums of what is in an artifact, but for the manifest and engines."""
    with zipfile.ZipFile(path) as archive:
        return {
            each.filename: each.CRC
            for each in archive.infolist()
            if "/engines/" not in each.filename and "/extra/" not in each.filename
        }


def test_an_engine_is_added_and_nothing_else_changes(
    file: Path, library: ModuleType, tmp_path: Path
) -> None:
    output = tmp_path / "more.tensorrt.zip"
    before, bytes_before = read_manifest(file), file.read_bytes()
    made = add_engine(file, output, capability="12.0")
    after = read_manifest(output)  # which has the hash of the new file
    engines = engines_of(after, output)
    assert engines == [*engines_of(before, file), made]
    assert (made.capability, made.agreement) == ((12, 0), None)
    assert records(output) == records(file)
    assert file.read_bytes() == bytes_before
    assert after.payload_sha256 != before.payload_sha256
    assert (after.recipe, after.agreement) == (before.recipe, before.agreement)
    with Runner(output, device="cpu", threads=1) as runner:
        assert runner.check_sample() == 1


def test_an_engine_of_the_same_kind_is_replaced(
    file: Path, library: ModuleType, tmp_path: Path
) -> None:
    path = Path(shutil.copy(file, tmp_path))
    add_engine(path, capability="8.0")  # in place
    assert sorted(engines_of(read_manifest(path), path), key=lambda each: each.capability) == (
        engines_of(read_manifest(file), file)
    )
    assert path.stat().st_size == pytest.approx(file.stat().st_size, rel=1e-3)
    assert [*tmp_path.iterdir()] == [path]


def test_the_command_says_where_the_file_is_and_that_the_engine_has_not_run(
    file: Path, library: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "more.tensorrt.zip"
    assert main(["engine", str(file), "-o", str(output), "--capability", "8.6"]) == 0
    told = capsys.readouterr()
    assert told.out == f"{output}\n"
    assert "capability 8.6" in told.err and "built, never run on a GPU" in told.err
    assert main(["inspect", str(output)]) == 0
    assert "built, never run on a GPU" in capsys.readouterr().out


def test_an_engine_for_a_gpu_that_is_here_is_tried_first(
    file: Path, library: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here the segments answer in its place: what it says is kept, or nothing is."""
    here = builder._Target((8, 6), is_here=True)
    monkeypatch.setattr(builder, "_wanted", lambda *_: here)
    monkeypatch.setattr(builder, "_DEVICE", "cpu")
    made = add_engine(file, tmp_path / "tried.tensorrt.zip")
    assert made.agreement == 1
    named = [config.capabilities for _, config in library.Builder.built]
    assert named == [[stand_in.ComputeCapability.SM86]] * 3  # and not what is built by default
    monkeypatch.setattr(
        "mpm_deploy.backends.base.Program.labels", lambda *_: torch.full((1, *INPUT_SIZE), 255)
    )
    with pytest.raises(AgreementError, match="on this GPU the engine gives"):
        add_engine(file, tmp_path / "wrong.tensorrt.zip")
    assert not (tmp_path / "wrong.tensorrt.zip").exists()


@pytest.mark.parametrize(
    ("raised", "kind", "hint"),
    [
        (ArtifactError("{payload}: it failed: no kernel", "make it anew"), BuildError, "dtype"),
        (HostError("this machine is short of memory", "end others"), HostError, "end others"),
    ],
)
def test_an_engine_that_does_not_run_is_told_of_the_users_file(
    file: Path,
    library: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    raised: MpmError,
    kind: type[MpmError],
    hint: str,
) -> None:
    """Not of a temporary one, and with another cure than to do the same again."""

    def failing(self: Any, payload: Path, *_: Any) -> Any:
        raise type(raised)(raised.problem.format(payload=payload), raised.hint)

    here = builder._Target((8, 6), is_here=True)
    monkeypatch.setattr(builder, "_wanted", lambda *_: here)
    monkeypatch.setattr(builder, "_DEVICE", "cpu")
    monkeypatch.setattr(type(get_backend("tensorrt")), "load", failing)
    path = Path(shutil.copy(file, tmp_path / "content"))  # no name collides with temporary ones
    with pytest.raises(kind) as caught:
        add_engine(path)
    reason = raised.problem.removeprefix("{payload}: ")
    assert caught.value.problem == (
        f"{path}: the new engine cannot be tried, and nothing was written: {reason}"
    )
    assert hint in str(caught.value.hint)
    assert path.read_bytes() == file.read_bytes()


def test_an_engine_for_the_gpu_that_is_here_is_made_on_it(
    file: Path, library: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not on the one that is current, which may be of another capability."""
    inside: list[str] = []

    @contextmanager
    def on(device: torch.device) -> Iterator[None]:
        inside.append(str(device))
        yield
        inside.append(f"{len(library.Builder.built)} built")

    monkeypatch.setattr(builder, "on", on)
    monkeypatch.setattr(builder, "_wanted", lambda *_: builder._Target((8, 6), is_here=True))
    monkeypatch.setattr(builder, "_tried", lambda *_: 1.0)
    add_engine(file, tmp_path / "here.tensorrt.zip")
    assert inside == ["cuda:0", "3 built"]


def test_where_the_builder_refuses_the_file_is_as_it_was(
    file: Path, library: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(shutil.copy(file, tmp_path))
    monkeypatch.setattr(library.Builder, "refuses", True)
    with pytest.raises(BuildError, match=rf"segment 0\.onnx: {stand_in.REFUSED}"):
        add_engine(path, capability="12.0")
    assert path.read_bytes() == file.read_bytes()
    assert [*tmp_path.iterdir()] == [path]


@pytest.mark.parametrize("rows", [True, 0, 1 << 31, "25", 2.5, None])
def test_rows_are_a_whole_number(file: Path, rows: Any) -> None:
    manifest = read_manifest(file)
    details = {**manifest.requires.details, "rows": rows}
    wrong = replace(manifest, requires=replace(manifest.requires, details=details))
    with pytest.raises(ArtifactError, match=r"requires\.details\.rows: expected a number of rows"):
        rows_of(wrong, file)


def test_a_damaged_file_gets_no_engine(file: Path, library: ModuleType, tmp_path: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    path = tmp_path / "damaged.tensorrt.zip"
    path.write_bytes(data)
    with pytest.raises(ArtifactError, match=r"damaged\.tensorrt\.zip: "):
        add_engine(path, capability="12.0")
    assert path.read_bytes() == bytes(data)


def test_a_signature_is_of_another_file_then(
    file: Path, library: ModuleType, tmp_path: Path
) -> None:
    cryptography = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")
    from cryptography.hazmat.primitives import serialization

    key = cryptography.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (tmp_path / "key.pem").write_bytes(key)
    path = Path(shutil.copy(file, tmp_path))
    sign_artifact(path, tmp_path / "key.pem")
    add_engine(path, capability="12.0")
    assert read_claimed_key(path) is None


def test_without_a_gpu_one_must_be_named(
    file: Path, library: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(HostError, match="there is no GPU here to make an engine for") as caught:
        add_engine(file)
    assert "--flavor tensorrt_rtx --capability 8.6" in str(caught.value.hint)


def test_tensorrt_itself_names_no_gpu(
    file: Path, library: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(MissingPackageError, match="TensorRT is not installed"):
        add_engine(file, flavor="tensorrt", capability="9.0")
    monkeypatch.setitem(sys.modules, "tensorrt", library)
    with pytest.raises(BuildError, match=r"expected one that TensorRT 1\.7\.1\.116 can name: none"):
        add_engine(file, flavor="tensorrt", capability="9.0")


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"capability": "86"}, "capability: expected one like '8.6', got '86'"),
        ({"flavor": "rtx"}, "flavor: expected one of tensorrt, tensorrt_rtx, got 'rtx'"),
        ({"output": "there/is/none.zip", "capability": "8.6"}, "none.zip: cannot write there"),
    ],
)
def test_wrong_words_are_refused(
    file: Path, library: ModuleType, options: dict[str, str], problem: str
) -> None:
    with pytest.raises(InputError) as caught:
        add_engine(file, **options)  # type: ignore[arg-type]
    assert problem in caught.value.problem


def test_an_artifact_of_another_backend_holds_no_segments(artifact: Path) -> None:
    with pytest.raises(InputError, match="expected an artifact of backend 'tensorrt'") as caught:
        add_engine(artifact, capability="8.6")
    assert "--recipe rtx_fp16" in str(caught.value.hint)
