"""A ViT and a head that a program holds: computed as they are, named and hashed, or refused."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import mpm_deploy
from mpm_deploy.artifact import read_manifest
from mpm_deploy.builder.model import make_model
from mpm_deploy.errors import BuildError, InputError, ModelError, RecipeError
from mpm_deploy.models import GridHead, OwnModel, TokenHead
from mpm_deploy.models.flops import count_flops
from mpm_deploy.models.heads.own import OwnHead
from mpm_deploy.models.segmenter import Segmenter
from mpm_deploy.recipe import Recipe, load_recipe
from tests.support.flop_counting import counted_flops

timm = pytest.importorskip("timm")

WIDTH, SIZE, GRID = 192, (64, 96), (4, 6)
RECIPE = load_recipe("cpu_portable_fp32").override("merge.blocks=[1]")


def vit(**options: Any) -> Any:
    torch.manual_seed(0)
    return timm.create_model("vit_tiny_patch16_224", img_size=SIZE, depth=3, **options)


def own(head: OwnHead | nn.Module, **changes: Any) -> OwnModel:
    said = {"classes": ["road", "car", "sky"], "mean": (0.5,) * 3, "std": (0.5,) * 3}
    return OwnModel(vit(), head, **{**said, **changes})  # type: ignore[arg-type]


def made(head: OwnHead | nn.Module, recipe: Recipe = RECIPE, **changes: Any) -> Segmenter:
    return make_model(recipe, own(head, **changes))[0]


class Fine(nn.Module):
    """Four scores a patch."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(WIDTH, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ConvTranspose2d(8, 3, 2, 2)
        )

    def forward(self, features: Tensor) -> Tensor:
        return self.layers(features)


class OfTwo(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(2 * WIDTH, 3, 3, padding=1)

    def forward(self, features: list[Tensor]) -> Tensor:
        return self.layer(torch.cat(features, dim=1))


def on_tokens() -> nn.Module:
    return nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 3))


HEADS: dict[str, Callable[[], OwnHead]] = {
    "grid": lambda: GridHead(Fine()),
    "two taps": lambda: GridHead(OfTwo(), taps=(0, -1)),
    "tokens": lambda: TokenHead(on_tokens()),
}


def images(count: int = 2) -> Tensor:
    seeded = torch.Generator().manual_seed(1)
    coarse = torch.randint(0, 256, (count, 3, 4, 4), generator=seeded).float()
    return nn.functional.interpolate(coarse, size=SIZE, mode="bilinear").to(torch.uint8)


@pytest.mark.parametrize("name", HEADS)
def test_the_full_token_model_is_timms_with_the_head(name: str) -> None:
    model = own(HEADS[name]())
    segmenter, _ = make_model(RECIPE.full_token(), model)
    theirs: Any = model.vit.eval()
    head = model.head.module.eval()
    with torch.inference_mode():
        scores, _ = segmenter(images())
        features = theirs.forward_intermediates(
            images() / 127.5 - 1, indices=[0, 2], norm=True, intermediates_only=True
        )
        if name == "two taps":
            expected = head(features)
        elif name == "grid":
            expected = head(features[-1])
        else:
            expected = head(features[-1].movedim(1, 3)).movedim(3, 1)
    torch.testing.assert_close(scores, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", HEADS)
def test_each_patch_has_its_tokens_features(name: str) -> None:
    """Reconstruction before and after the head is the same: equation 4 of the paper."""
    after = made(HEADS[name]())
    before = made(HEADS[name](), RECIPE.override("merge.reconstruct=before_decoder"))
    before.load_state_dict(after.state_dict())
    with torch.inference_mode():
        (scores, maps), (expected, _) = after(images()), before(images())
    assert maps.amax() + 1 < GRID[0] * GRID[1]
    torch.testing.assert_close(scores, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", HEADS)
def test_flops_are_what_torch_counts(name: str) -> None:
    model = made(HEADS[name]())
    with counted_flops() as counter:
        _, merge_maps = model(images(1))
    tokens = [24, *(merge_maps[0].amax(dim=1) + 1).tolist()]
    # A head on tokens scores the class token too, which the count of ours leaves out.
    assert count_flops(model).total(tokens) == pytest.approx(counter.get_total_flops(), rel=1e-3)


@pytest.mark.parametrize("name", HEADS)
def test_it_can_be_exported(name: str) -> None:
    model = made(HEADS[name]()).requires_grad_(False)
    exported = torch.export.export(model, (images(1),)).module()
    torch.testing.assert_close(exported(images(1)), model(images(1)))


def test_the_modules_stay_as_they_are() -> None:
    model = own(GridHead(Fine()))
    kept = {name: tensor.clone() for name, tensor in model.head.module.state_dict().items()}
    segmenter, _ = make_model(RECIPE.override("backend.dtype=bfloat16"), model)
    assert next(segmenter.decoder.parameters()).dtype == torch.bfloat16
    assert model.vit.training and model.head.module.training
    for name, tensor in model.head.module.state_dict().items():
        assert tensor.dtype == kept[name].dtype and torch.equal(tensor, kept[name])


def test_the_hash_is_of_the_weights_alone() -> None:
    model = own(GridHead(Fine()))
    _, merged = make_model(RECIPE, model)
    _, full = make_model(RECIPE.full_token(), model)
    assert merged.sha256 == full.sha256
    with torch.no_grad():
        model.head.module.layers[0].bias[0] += 1
    assert make_model(RECIPE, model)[1].sha256 != merged.sha256


@pytest.mark.parametrize(
    ("head", "changes", "said"),
    [
        (Fine(), {}, "expected GridHead or TokenHead, got Fine"),
        (GridHead(Fine()), {"classes": 3}, "expected the name of each, got 3"),
        (GridHead(Fine()), {"mean": (0.5,)}, "mean: expected 3 values"),
        (GridHead(Fine()), {"palette": [(1, 2, 3)]}, "palette: expected a color for each of 3"),
        (GridHead(Fine()), {"classes": ["a"]}, r"scores \(1, 1, 4 s, 6 s\).*got \(1, 3, 8, 12\)"),
        (GridHead(Fine(), taps=(0, 1)), {}, "TypeError"),
        (GridHead(Fine(), taps=(1, 3)), {}, "rising blocks of 3"),
        (GridHead(Fine(), taps=()), {}, r"rising blocks of 3, got \[\]"),
        (GridHead(nn.Conv2d(WIDTH, 3, 2)), {}, r"got \(1, 3, 3, 5\)"),
        (GridHead(nn.Conv2d(384, 3, 1)), {}, r"of \(1, 192, 4, 6\), got RuntimeError"),
        (GridHead(nn.Flatten(0)), {}, r"got \(4608,\)"),
        (GridHead(nn.MaxPool2d(2, return_indices=True)), {}, "got tuple"),
        (TokenHead(nn.Conv2d(WIDTH, 3, 1)), {}, r"scores \(4, 3\) of \(4, 192\)"),
        (TokenHead(nn.TransformerEncoderLayer(WIDTH, 3, 8)), {"classes": ["a"] * WIDTH}, "itself"),
    ],
)
def test_what_does_not_fit_is_refused(head: Any, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ModelError, match=said):
        made(head, **changes)


def test_what_is_of_another_type_is_refused() -> None:
    for head in (torch.relu, Fine):
        with pytest.raises(ModelError, match=r"expected a torch\.nn\.Module, got "):
            GridHead(head)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="expected an OwnModel, got Fine"):
        make_model(RECIPE, Fine())  # type: ignore[arg-type]
    for taps in ((0.5,), -1):
        with pytest.raises(InputError, match="taps"):
            made(GridHead(Fine(), taps=taps))  # type: ignore[arg-type]


def test_weights_that_are_not_finite_are_refused() -> None:
    model = own(GridHead(Fine()))
    with torch.no_grad():
        model.head.module.layers[0].bias[0] = torch.nan
    with pytest.raises(ModelError, match=r"decoder\.module\.layers\.0\.bias.*1 NaN"):
        make_model(RECIPE, model)


class Lambda(Fine):
    def forward(self, features: Tensor) -> Tensor:
        return (lambda x: self.layers(x))(features)


class Branches(Fine):
    def forward(self, features: Tensor) -> Tensor:
        scores = self.layers(features)
        return scores if scores.sum().item() > 0 else -scores


@pytest.mark.parametrize(
    ("recipe", "head", "said", "cure"),
    [
        ("cpu_portable_fp32", Lambda, r"TorchScript cannot compile .*test_own\.py:\d+", "cpu_fp32"),
        ("cpu_fp32", Branches, r"torch\.export cannot compile .*test_own\.py:\d+", "torch.where"),
    ],
)
def test_a_compiler_that_refuses_names_the_line(
    recipe: str, head: type[Fine], said: str, cure: str, tmp_path: Any
) -> None:
    with pytest.raises(BuildError, match=said) as caught:
        mpm_deploy.build(
            load_recipe(recipe).full_token(), tmp_path / "it", model=own(GridHead(head()))
        )
    assert cure in str(caught.value.hint)


def test_torchscript_needs_a_source(tmp_path: Any) -> None:
    typed: dict[str, Any] = {"nn": nn, "Fine": Fine}
    exec("class Typed(Fine):\n    def forward(self, x):\n        return self.layers(x)", typed)
    with pytest.raises(BuildError, match="lies in no file"):
        mpm_deploy.build(RECIPE, tmp_path / "it.pt", model=own(GridHead(typed["Typed"]())))


def test_the_file_says_what_it_is_and_is_not_built_anew_alone(tmp_path: Any) -> None:
    model = own(TokenHead(on_tokens()), palette=[(1, 2, 3), (4, 5, 6), (7, 8, 9)])
    file = mpm_deploy.build(RECIPE, tmp_path / "own.pt", model=model)
    manifest = read_manifest(file)
    assert manifest.model.name == "vit_tiny_patch16_224+Sequential"
    assert manifest.model.backbone == "vit_tiny_patch16_224"
    assert manifest.model.head == "Sequential"
    assert manifest.model.classes == ("road", "car", "sky")
    assert manifest.model.palette[1] == (4, 5, 6)
    assert manifest.weights.origin == "given in Python" and manifest.weights.sha256
    assert manifest.recipe["model"]["weights"] == "given in Python"
    assert manifest.agreement.labels >= 0.999
    for anew in (lambda: mpm_deploy.build(file), lambda: mpm_deploy.sweep(file, tmp_path)):
        with pytest.raises(RecipeError, match="given in Python") as caught:
            anew()
        assert "model=OwnModel" in str(caught.value.hint)
