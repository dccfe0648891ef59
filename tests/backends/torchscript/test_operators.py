"""A file for an older libtorch calls nothing that it lacks."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from mpm_deploy.artifact import read_manifest
from mpm_deploy.backends.torchscript import TorchScript
from mpm_deploy.backends.torchscript.operators import missing_operators, own_operators
from mpm_deploy.builder.build import build
from mpm_deploy.cli import main
from mpm_deploy.errors import ArtifactError, BuildError, InputError, RecipeError
from mpm_deploy.recipe import builtin_recipes, load_recipe
from tests.conftest import small_recipe
from tests.support.writing_artifact import write_writing_artifact

PUBLIC_KEY = """-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
"""  # of RFC 8410, 10.1
HASH = r"aten::hash_tensor\(Tensor self, int\[1\] dim="  # new in torch 2.9

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit")


class Older(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images.clamp(0, 1) / 2


class Newer(nn.Module):
    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        if images.dim() == 5:  # never: but libtorch looks it up when it loads the file
            images = torch.hash_tensor(images, 0)
        return images, images


class Inside(nn.Module):
    """It calls a method that is not its part's `forward`."""

    def __init__(self) -> None:
        super().__init__()
        self.part = Part()

    def forward(self, images: Tensor) -> Tensor:
        return self.part.hashed(images)


class Part(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images

    @torch.jit.export
    def hashed(self, images: Tensor) -> Tensor:
        return torch.hash_tensor(images, 0)


def test_recipes_for_any_machine_are_for_the_libtorch_of_a_distribution() -> None:
    scripts = [each for each in builtin_recipes() if each.backend.name == "torchscript"]
    assert [each.backend.member.libtorch for each in scripts] == ["2.6"] * len(scripts) != []


def test_native_code_has_no_such_promise() -> None:
    with pytest.raises(RecipeError, match=r"unknown key with backend 'aotinductor'"):
        load_recipe("cpu_fp32").override("backend.libtorch='2.6'")


def test_an_old_operator_is_there() -> None:
    assert missing_operators(torch.jit.script(Older()), "2.6") == ()


@pytest.mark.parametrize("module", [Newer, Inside])
def test_a_newer_operator_is_named(module: type[nn.Module]) -> None:
    (missing,) = missing_operators(torch.jit.script(module()), "2.6")
    assert missing.startswith("aten::hash_tensor(Tensor self, int[1] dim=[]")


def test_a_symbolic_integer_is_an_integer() -> None:
    """`nonzero_static` takes one since 2.11, and an integer before."""

    class Static(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return torch.nonzero_static(images, size=3)

    assert missing_operators(torch.jit.script(Static()), "2.6") == ()


def test_this_torch_has_operators_of_its_own() -> None:
    own = own_operators()
    assert list(own) == sorted(set(own)) and len(own) > 3000
    assert {schema.split("::")[0] for schema in own} == {"aten", "prim"}


def test_an_unknown_version_is_refused() -> None:
    with pytest.raises(InputError, match=r"libtorch '1.4': its operators are not known, those"):
        missing_operators(torch.jit.script(Older()), "1.4")


def test_a_build_that_would_not_load_there_fails(tmp_path: Path) -> None:
    path = tmp_path / "newer.pt"
    with pytest.raises(BuildError, match=f"libtorch 2.6 lacks 1 of its operators: {HASH}"):
        TorchScript("2.6").compile(Newer(), small_recipe(), path)  # type: ignore[arg-type]
    assert not path.exists()


def test_without_a_promise_it_builds_and_a_look_at_the_file_tells(tmp_path: Path) -> None:
    path = tmp_path / "newer.pt"
    recipe = small_recipe()
    recipe = replace(recipe, backend=replace(recipe.backend, member=TorchScript()))
    TorchScript().compile(Newer(), recipe, path)  # type: ignore[arg-type]
    manifest = replace(read_manifest(build(recipe, tmp_path / "other.pt")), payload_sha256="")
    with pytest.raises(ArtifactError, match=rf"newer.pt: libtorch 2.6 lacks 1 .*: {HASH}"):
        TorchScript().require_libtorch(path, manifest, "2.6")


def test_inspect_looks_at_the_operators(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = build(small_recipe("rpi5_fp32"), tmp_path / "model.pt")
    assert main(["inspect", str(path), "--libtorch", "2.6"]) == 0
    assert main(["inspect", str(path), "--libtorch", "1.4"]) != 0
    assert "libtorch '1.4'" in capsys.readouterr().err


@pytest.mark.parametrize("asked", ["--trust", "MPM_TRUST"])
def test_nothing_untrusted_is_loaded_to_look_at_it(
    tmp_path: Path,
    asked: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path, written, key = tmp_path / "evil.pt", tmp_path / "written", tmp_path / "release.pem"
    write_writing_artifact(path, written)
    key.write_text(PUBLIC_KEY)
    words = ["inspect", "--libtorch", "2.6", str(path)]
    assert main(words) == 0
    assert written.exists()  # as a program, which an artifact is
    written.unlink()
    if asked == "--trust":
        words += ["--trust", str(key)]
    else:
        monkeypatch.setenv("MPM_TRUST", str(key))
    capsys.readouterr()
    assert main(words) == 1
    assert "not signed, and only what is signed with a key of" in capsys.readouterr().err
    assert not written.exists()
