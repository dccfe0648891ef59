"""The scenes, the held-out files that were written from them, and the weights trained on them."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image

from mpm_deploy.datasets.folder import Folder

ROOT = Path(__file__).resolve().parents[2]
SCENES = ROOT / "examples" / "scenes"
SCRIPTS = (
    "batches",
    "evaluate",
    "evaluate_cts",
    "generator",
    "make_dataset",
    "mask_loss",
    "pixel_baseline",
    "report",
    "street",
    "train",
    "train_cts",
    "train_eomt",
)


@pytest.fixture(scope="module", autouse=True)
def scripts_on_path() -> Iterator[None]:
    """The example's scripts import each other by name, as when they are run."""
    sys.path.insert(0, str(SCENES))
    yield
    sys.path.remove(str(SCENES))
    for name in [name for name in sys.modules if name.split(".")[0] in SCRIPTS]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def generator(scripts_on_path: None) -> ModuleType:
    import generator

    return generator


@pytest.fixture(scope="module")
def dataset(scripts_on_path: None) -> ModuleType:
    import make_dataset

    return make_dataset


def test_a_seed_is_a_scene(generator: ModuleType) -> None:
    first, second, other = generator.scene(11), generator.scene(11), generator.scene(12)
    for one, again, different in zip(first, second, other, strict=True):
        np.testing.assert_array_equal(one, again)
        assert (one != different).any()


def test_shapes_and_types(generator: ModuleType) -> None:
    image, labels = generator.scene(3)
    assert image.shape == (512, 512, 3)
    assert labels.shape == (512, 512)
    assert image.dtype == labels.dtype == np.uint8


def test_the_hour_changes_the_light_and_not_the_labels(generator: ModuleType) -> None:
    day, by_day = generator.scene(5, "day")
    night, by_night = generator.scene(5, "night")
    np.testing.assert_array_equal(by_day, by_night)
    assert night.mean() < 0.7 * day.mean()


def test_every_class_appears(generator: ModuleType) -> None:
    counts = np.zeros(len(generator.CLASSES), np.int64)
    for seed in range(30):
        _, labels = generator.scene(seed)
        assert labels.max() < len(generator.CLASSES)
        counts += np.bincount(labels.ravel(), minlength=len(counts))
    assert (counts > 20_000).all(), dict(zip(generator.CLASSES, counts, strict=True))


def test_palette_tells_the_classes_apart(generator: ModuleType) -> None:
    assert len(set(generator.PALETTE)) == len(generator.CLASSES) >= 10


def test_held_out_set(dataset: ModuleType) -> None:
    seeds = dataset.held_out_seeds()
    names = sorted(dataset.held_out_name(seed) for seed in seeds)
    assert len(names) >= 64
    assert sum(name.endswith("night") for name in names) >= len(names) / 3
    assert max(seeds) < dataset.TRAINING_SEED
    assert names == sorted(path.stem for path in (SCENES / "images").iterdir())
    assert names == sorted(path.stem for path in (SCENES / "labels").iterdir())


def test_held_out_files_are_the_generators(dataset: ModuleType, generator: ModuleType) -> None:
    flat = [channel for color in generator.PALETTE for channel in color]
    for seed in dataset.held_out_seeds()[::9]:
        name = dataset.held_out_name(seed)
        image, labels = generator.scene(seed)
        stored = Image.open(SCENES / "labels" / f"{name}.png")
        assert stored.mode == "P"
        assert (stored.getpalette() or [])[: len(flat)] == flat
        # Another libm or Pillow may round an edge to the next pixel.
        assert (np.asarray(stored) == labels).mean() > 0.999
        photo = np.asarray(Image.open(SCENES / "images" / f"{name}.jpg"), np.float32)
        assert photo.shape == image.shape
        assert np.abs(photo - image).mean() < 12


def test_a_street_by_day_and_by_night(dataset: ModuleType, tmp_path: Path) -> None:
    dataset.write_day_night(tmp_path, dataset.DAY_NIGHT_COUNT, workers=1)
    files = sorted(path.name for path in (tmp_path / "day_night").iterdir())
    assert files == sorted(path.name for path in (SCENES / "day_night").iterdir())
    assert files == ["scene_0000_day.jpg", "scene_0000_night.jpg"]
    brightness = []
    for file in files:
        made, stored = (
            np.asarray(Image.open(folder / "day_night" / file), np.float32)
            for folder in (tmp_path, SCENES)
        )
        assert np.abs(made - stored).mean() < 1  # another libm or Pillow may round otherwise
        brightness.append(stored.mean())
    assert brightness[1] < 0.7 * brightness[0]


def test_the_held_out_scenes_name_their_classes(generator: ModuleType) -> None:
    assert Folder(SCENES).classes == generator.CLASSES


def test_the_baseline_reads_the_held_out_scenes(scripts_on_path: None) -> None:
    import pixel_baseline

    iou = pixel_baseline.evaluate(np.zeros(pixel_baseline.CELLS, np.uint8))
    assert 0 < iou[0] < 1 and not any(iou[1:])


def test_batches_cut_image_and_labels_alike(scripts_on_path: None, tmp_path: Path) -> None:
    import batches

    labels = np.random.default_rng(0).integers(0, 4, (3, 512, 512), np.uint8)
    np.save(tmp_path / "labels.npy", labels)
    np.save(tmp_path / "images.npy", np.repeat(labels[..., None] * 60, 3, axis=-1))
    drawn = batches.Batches(tmp_path, torch.ones(4))
    for size in (256, 512):
        images, cut, (top, left) = drawn.draw(2, size)
        assert images.shape == (2, 3, size, size)
        assert 0 <= top <= 512 - size >= left >= 0
        assert top % 16 == left % 16 == 0
        brightness = torch.stack([images[:, 0][cut == label].mean() for label in range(4)])
        assert (brightness.diff() > 30).all()  # a label is still as bright as it was painted
        windows = [
            scene[top : top + size, left : left + size]
            for original in labels
            for scene in (original, original[:, ::-1])
        ]
        for each in cut.numpy():
            assert any((each == window).all() for window in windows)


def test_the_most_interesting_candidate_is_taken(scripts_on_path: None, tmp_path: Path) -> None:
    import batches

    labels = np.zeros((3, 512, 512), np.uint8)
    labels[1] = 1
    np.save(tmp_path / "labels.npy", labels)
    np.save(tmp_path / "images.npy", np.zeros((3, 512, 512, 3), np.uint8))
    drawn = batches.Batches(tmp_path, torch.tensor([1.0, 9.0]))
    _, cut, _ = drawn.draw(4, 256, candidates=3)
    assert (cut == 1).all()


@pytest.mark.parametrize(("name", "side"), [("seg_t16_mask", 32), ("seg_b8_mask", 64)])
def test_a_crop_trains_the_positions_it_looks_through(
    scripts_on_path: None, name: str, side: int
) -> None:
    import train

    model, twin = (
        train.create(name, classes=12, image_size=(size, size), blocks=()) for size in (512, 256)
    )
    scores, _ = train.CropModel(model, twin)(torch.full((1, 3, 256, 256), 90.0), (256, 48))
    assert scores.shape == (1, 12, side // 2, side // 2)
    scores.square().sum().backward()
    reached = model.encoder.position.grad.abs().sum(dim=1).view(side, side) > 0
    window = torch.zeros(side, side, dtype=torch.bool)
    patch = 512 // side
    window[256 // patch : 512 // patch, 48 // patch : 304 // patch] = True
    assert torch.equal(reached, window)


def test_each_class_gets_the_query_that_says_it_best(scripts_on_path: None) -> None:
    import mask_loss

    # Query 0 is good at both classes and better at the second, query 2 at neither.
    costs = torch.tensor([[[1.0, 0.0], [3.0, 5.0], [9.0, 9.0]], [[4.0, 4.0], [2.0, 9.0], [1.0, 9]]])
    image, query, label = mask_loss.match(costs, torch.tensor([[True, True], [True, False]]))
    matches = set(zip(image.tolist(), query.tolist(), label.tolist(), strict=True))
    assert matches == {(0, 0, 1), (0, 1, 0), (1, 2, 0)}


def test_a_mask_costs_its_cross_entropy_and_its_dice(scripts_on_path: None) -> None:
    import mask_loss
    from torch.nn import functional

    torch.manual_seed(0)
    labels = torch.randint(0, 3, (2, 8, 8))
    shares = mask_loss.area_shares(labels, 3, side=4)  # (B, K, S)
    assert shares.shape == (2, 3, 16)
    assert torch.equal(shares.sum(dim=1), torch.ones(2, 16))
    assert shares[1, 2, 5] == (labels[1, 2:4, 2:4] == 2).float().mean()
    logits = torch.randn(2, 16, 5)  # (B, S, Q)
    costs = mask_loss.mask_costs(logits, shares)
    mask, share = logits[1, :, 4], shares[1, 2]
    likely = mask.sigmoid()
    dice = 1 - (2 * (likely * share).sum() + 1) / (likely.sum() + share.sum() + 1)
    entropy = functional.binary_cross_entropy_with_logits(mask, share)
    torch.testing.assert_close(costs[1, 4, 2], 5 * entropy + 5 * dice)


def test_queries_learn_masks_and_their_classes(scripts_on_path: None) -> None:
    import mask_loss

    torch.manual_seed(0)
    labels = torch.zeros(1, 8, 8, dtype=torch.int64)
    labels[:, :, 4:] = 1
    shares = mask_loss.area_shares(labels, 3, side=4)
    answers = [torch.randn(1, 4, 4).requires_grad_(), torch.randn(1, 16, 4).requires_grad_()]
    optimizer = torch.optim.Adam(answers, 0.3)
    for _ in range(40):
        optimizer.zero_grad()
        mask_loss.mask_loss(*answers, shares).backward()
        optimizer.step()
    classes, masks = answers
    scores = masks.sigmoid() @ classes.softmax(dim=-1)[:, :, :-1]  # (B, S, K)
    assert torch.equal(scores.argmax(dim=2)[0].view(4, 4), labels[0, ::2, ::2])


def test_an_eomt_begins_with_the_demos_encoder_and_learns(
    scripts_on_path: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import train_eomt

    from mpm_deploy.models.weights.files import read_weights
    from mpm_deploy.ops.attention import flash, reference

    stripes = np.arange(12, dtype=np.uint8).repeat(43)[:512]
    np.save(tmp_path / "labels.npy", np.broadcast_to(stripes, (2, 512, 512)))
    np.save(tmp_path / "images.npy", np.zeros((2, 512, 512, 3), np.uint8))
    settings = train_eomt.EomtSettings(queries=14, crop_batch=1, candidates=1)
    trainer = train_eomt.EomtTrainer(settings, tmp_path, tmp_path / "it.safetensors", None)
    demo, encoder = read_weights("demo")[0], trainer.model.encoder
    for name in ("position", "blocks.11.fc2.weight"):
        assert torch.equal(encoder.get_parameter(name), demo[f"encoder.{name}"])
    queries = encoder.queries.clone()
    monkeypatch.setattr(flash, "attention", reference.attention)
    assert 0 < trainer._step() < 100
    assert (encoder.queries != queries).all()
    assert trainer.about()["head"] == {"queries": 14}


def test_a_superpatch_is_right_to_share_where_its_pixels_are_of_one_class(
    scripts_on_path: None,
) -> None:
    import train_cts

    labels = torch.randint(0, 2, (2, 96, 128), generator=torch.Generator().manual_seed(0))
    labels[0, 32:64, 96:] = 7
    labels[1, :32] = 0
    labels[1, 31, 64] = 3  # one pixel is enough
    expected = torch.zeros(2, 3, 4, dtype=torch.int64)
    expected[0, 1, 3] = 1
    expected[1, 0] = torch.tensor([1, 1, 0, 1])
    assert torch.equal(train_cts.one_class(labels), expected)


@pytest.fixture
def striped(tmp_path: Path) -> Path:
    """A folder of scenes whose upper half is bright and of one class, and below it are stripes."""
    labels = np.zeros((2, 512, 512), np.uint8)
    labels[:, 256:] = np.arange(12, dtype=np.uint8).repeat(43)[:512]
    np.save(tmp_path / "labels.npy", labels)
    np.save(tmp_path / "images.npy", np.repeat(250 - 20 * labels[..., None], 3, axis=-1))
    return tmp_path


def test_a_policy_learns_and_then_a_part_of_the_demo(
    scripts_on_path: None, striped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import train_cts

    from mpm_deploy.models.weights.files import read_weights
    from mpm_deploy.ops.attention import flash, reference

    monkeypatch.setattr(flash, "attention", reference.attention)
    monkeypatch.setattr(train_cts, "validation_scenes", lambda _: _scenes_of(striped))
    monkeypatch.setattr("train.validate", lambda _: [0.5] * 12)
    settings = train_cts.CtsSettings(crop_batch=2, whole_batch=1, save_minutes=99.0)
    output = striped / "it.safetensors"
    trainer = train_cts.CtsTrainer(settings, striped, output, None)
    demo, before = read_weights("demo")[0], trainer.policy.head.weight.clone()
    assert 0 < trainer._step() < 10
    assert not torch.equal(trainer.policy.head.weight, before)
    tuned = trainer.model.state_dict()
    assert all(torch.equal(tuned[name], demo[name]) for name in demo)

    trainer.elapsed = settings.crop_minutes
    policy = {name: each.clone() for name, each in trainer.policy.state_dict().items()}
    assert 0 < trainer._step() < 100
    trainer._save()
    assert all(
        torch.equal(each, policy[name]) for name, each in trainer.policy.state_dict().items()
    )
    tensors, info = read_weights(output)
    assert output.stat().st_size <= 8_000_000
    assert info.trained_merge.member.shared == 103
    assert torch.equal(tensors["encoder.blocks.5.fc1.weight"], demo["encoder.blocks.5.fc1.weight"])
    assert not torch.equal(tensors["encoder.position"], demo["encoder.position"])
    stored = trainer.average.state_dict()
    assert all(torch.equal(each, stored[name].bfloat16().float()) for name, each in tensors.items())


def _scenes_of(folder: Path) -> tuple[torch.Tensor, torch.Tensor]:
    images = torch.from_numpy(np.load(folder / "images.npy")).permute(0, 3, 1, 2)
    return images, torch.from_numpy(np.load(folder / "labels.npy"))


def test_calls_are_counted(scripts_on_path: None) -> None:
    import train_cts
    from torch import nn

    from mpm_deploy.models.reductions import Cts
    from mpm_deploy.models.zoo import create

    class Fixed(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return torch.tensor([[2.0, 1.0, -1.0, -3.0]])

    model = create("seg_t16_mask", classes=12, image_size=(64, 64), blocks=(0,), method=Cts(3))
    model.encoder.blocks[0].reduction.policy = Fixed()
    labels = torch.zeros(2, 64, 64, dtype=torch.uint8)
    labels[:, 0, 40] = labels[:, 50, 0] = 1  # superpatches 1 and 2 are of two classes
    labels[1, 0, 0] = 1  # and 0 too
    calls = train_cts.call(model, torch.zeros(2, 3, 64, 64), labels)
    assert calls.right == (2 + 1) / 8
    assert calls.shared_right == pytest.approx((1 + 0) / 6)
    assert calls.one_class == (2 + 1) / 8


@pytest.mark.parametrize("model", ["seg_t16_mask", "eomt_t16"])
def test_weights_are_small_and_of_these_classes(generator: ModuleType, model: str) -> None:
    from mpm_deploy.models.weights.files import DEMOS, read_weights

    assert DEMOS[model].stat().st_size <= 16 * 1024 * 1024
    _, info = read_weights("demo", model)
    assert info.classes == generator.CLASSES
    assert info.palette == generator.PALETTE
    assert info.image_size == (512, 512)


def test_weights_trained_with_sharing_are_smaller(generator: ModuleType) -> None:
    from mpm_deploy.models.weights.files import DEMO_CTS, read_weights

    assert DEMO_CTS.stat().st_size <= 8_000_000
    tensors, info = read_weights("demo_cts")
    demo, about = read_weights("demo")
    assert set(demo) < set(tensors)
    assert (info.origin, info.model, info.classes) == ("demo_cts", about.model, generator.CLASSES)
    assert (info.trained_merge.method, info.trained_merge.member.shared) == ("cts", 103)
