"""Check that a compiled artifact says what the eager model says, and on photos that in float32.

images that are made up  labels and clusters, as the eager model's in the same type
photos                   labels, as its in float32
a data set               mIoU, not much below its in float32
"""

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from mpm_deploy.artifact import Agreement
from mpm_deploy.backends.base import Program
from mpm_deploy.datasets import Dataset
from mpm_deploy.datasets.confusion import class_iou, confusion, mean_of_known
from mpm_deploy.datasets.label_files import check_size
from mpm_deploy.errors import AgreementError
from mpm_deploy.images.decode import decode, find_images, fit
from mpm_deploy.models.segmenter import Segmenter
from mpm_deploy.ops.label_map.reference import label_map
from mpm_deploy.recipe import VerifyRecipe

_TOO_LARGE = 2.0**127  # for a label map, which multiplies and adds scores in float32
_SIDES = (4, 16, 64)  # of the grids of random colors that a verification image is a sum of
_BACKEND_CURE = "try the other backend, or float32; and please report it with the recipe"
_PRECISION_CURE = (
    "a wider type: --set backend.dtype=bfloat16 or float32; for int8 also photos to measure it on: "
    "--set backend.calibration=FOLDER"
)
_WEIGHTS_CURE = (
    "the weights are too large for the type that it computes in: try --set backend.dtype=float32, "
    "or weights from before the training diverged"
)


def verification_images(count: int, size: tuple[int, int], seed: int = 0) -> Tensor:
    """Make seeded images with smooth areas and edges, all different: ``(count, 3, H, W)`` uint8."""
    generator = np.random.default_rng(seed)
    images = torch.zeros(count, 3, *size)
    for share, side in zip((0.5, 0.3, 0.2), _SIDES, strict=True):
        colors = torch.from_numpy(generator.random((count, 3, side, side), dtype=np.float32))
        images += share * functional.interpolate(colors, size=size, mode="bilinear")
    edges = torch.from_numpy(generator.random((count, 3, 8, 8), dtype=np.float32))
    images = 0.7 * images + 0.3 * functional.interpolate(edges, size=size, mode="nearest")
    return (images * 255).round().to(torch.uint8)


def photos_in(folder: str, size: tuple[int, int]) -> Iterator[Tensor]:
    """Yield each photo of a folder as an input of the model, ``(1, 3, H, W)`` uint8.

    Raises:
        InputError: There are none, or one cannot be decoded.
    """
    for path in find_images(folder):
        yield fit(decode(path), size)[None]


def measure_agreement(model: nn.Module, program: Program, images: Tensor) -> Agreement:
    """Compare labels and merge maps with the eager model's: image by image, and as one batch.

    Args:
        model: The eager `Segmenter`, on the program's device.
        program: The loaded artifact.
        images: ``(B, 3, H, W)`` uint8.

    Raises:
        AgreementError: Scores of either that are no numbers for a label map.
    """
    images = images.to(program.device)
    batches = [*images.split(1), images]
    compared = [each for batch in batches for each in _compare(model, program, batch)]
    equal_labels, equal_clusters = zip(*compared, strict=True)
    return Agreement(
        images=images.shape[0],
        labels=sum(equal_labels) / len(equal_labels),
        clusters=tuple(torch.stack(equal_clusters).mean(dim=0).tolist()),
    )


def _compare(model: nn.Module, program: Program, batch: Tensor) -> Iterator[tuple[float, Tensor]]:
    """Yield each image's share of equal labels, and of equal clusters after each merge ``(M,)``."""
    size = (batch.shape[2], batch.shape[3])
    (scores, merge_maps), (got_scores, got_maps) = _outputs_of_both(model, program, batch)
    for image in range(len(batch)):
        one = slice(image, image + 1)
        labels = label_map(scores[one], size) == program.labels(got_scores[one], size)
        clusters = same_cluster(merge_maps[image], got_maps[image])
        yield labels.double().mean().item(), clusters.double().mean(dim=1).cpu()


def _outputs_of_both(
    model: nn.Module, program: Program, batch: Tensor
) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Compute scores ``(B, K, h, w)`` and merge maps ``(B, M, N)``: eager ones, compiled ones."""
    with torch.inference_mode():
        eager = model(batch)
    compiled = program.scores(batch)
    _check_scores("eager", eager[0], _WEIGHTS_CURE)
    _check_scores("compiled", compiled[0], _BACKEND_CURE)
    return eager, compiled


def check_photos(
    reference: nn.Module, program: Program, photos: Iterable[Tensor], least: float
) -> None:
    """Refuse an artifact that labels photos too differently from the model in float32.

    Args:
        reference: The eager `Segmenter` in float32, on the program's device.
        program: The loaded artifact.
        photos: Inputs of the model, ``(1, 3, H, W)`` uint8 each.
        least: Least share of pixels with the same label.

    Raises:
        AgreementError: How many are the same, and what was expected.
    """
    batches = (photo.to(program.device) for photo in photos)
    compared = [each for batch in batches for each in _compare(reference, program, batch)]
    share = sum(labels for labels, _ in compared) / len(compared)
    if share < least:
        raise AgreementError(
            f"the compiled model disagrees with that in float32 on {len(compared)} photos: "
            f"{share:.5f} of the labels are equal (expected {least}); nothing was written",
            _PRECISION_CURE,
        )


def check_accuracy(reference: Segmenter, program: Program, dataset: Dataset, most: float) -> None:
    """Refuse an artifact that loses too much accuracy to the model in float32.

    Label maps are compared with true ones, each at its image's own size.

    Args:
        reference: The eager model in float32, on the program's device.
        program: The loaded artifact.
        dataset: Images with true label maps, of the model's classes.
        most: Most points of mIoU that may be lost.

    Raises:
        AgreementError: How many are lost, and what was expected.
        DatasetError: A label map that is none, or not of its image's size.
        ImageError: An image cannot be decoded.
    """
    classes = len(dataset.classes)
    counts = np.zeros((2, classes, classes), np.int64)
    for sample in dataset:
        truth, image = dataset.labels(sample), decode(sample.image)  # (height, width), (3, ...)
        size = truth.shape[0], truth.shape[1]
        check_size(sample.labels, size, sample.image, tuple(image.shape[1:]))
        batch = fit(image, reference.image_size)[None].to(program.device)
        for index, (scores, _) in enumerate(_outputs_of_both(reference, program, batch)):
            labels = program.labels(scores, size)[0].cpu().numpy()
            counts[index] += confusion(truth, labels, classes)
    whole, left = (100 * mean_of_known(class_iou(each)) for each in counts)
    if not whole - left <= most:  # a data set in which no pixel counts has no mIoU
        raise AgreementError(
            f"the compiled model has {left:.2f} mIoU on the {len(dataset)} images of "
            f"{dataset.root}, that in float32 {whole:.2f}: {whole - left:.2f} points are lost "
            f"(expected {most} or fewer); nothing was written",
            _PRECISION_CURE,
        )


def _check_scores(which: str, scores: Tensor, cure: str) -> None:
    """Refuse scores that make no label map: every pixel would be of the first class."""
    good = scores.abs() < _TOO_LARGE  # NaN is below nothing
    if not good.all():
        bad = int((~good).sum())
        raise AgreementError(
            f"the {which} model: expected finite scores below 2^127, got {bad} of "
            f"{scores.numel()} that are NaN, infinite or larger; nothing was written",
            cure,
        )


def check_agreement(agreement: Agreement, tolerance: VerifyRecipe) -> None:
    """Refuse an artifact that agrees less than its recipe asks.

    Raises:
        AgreementError: What agreed how far, and what was expected.
    """
    clusters = min(agreement.clusters, default=1.0)
    if agreement.labels < tolerance.labels or clusters < tolerance.clusters:
        raise AgreementError(
            f"the compiled model disagrees with the eager one on {agreement.images} images: "
            f"{agreement.labels:.5f} of the labels are equal (expected {tolerance.labels}), "
            f"{clusters:.5f} of the patches are in the same cluster (expected "
            f"{tolerance.clusters}); nothing was written",
            _BACKEND_CURE,
        )


def same_cluster(one: Tensor, other: Tensor) -> Tensor:
    """Tell whether each patch shares its token with the same patches in two merge maps.

    Args:
        one: ``(M, N)`` integer; token numbers may differ between the maps.
        other: ``(M, N)``.

    Returns:
        ``(M, N)`` bool.
    """
    return _cluster_signatures(one) == _cluster_signatures(other)


def _cluster_signatures(merge_maps: Tensor) -> Tensor:
    """Compute a fingerprint of each patch's cluster: the sum of its patches' random numbers."""
    merges, patches = merge_maps.shape
    maps = merge_maps.long()
    generator = torch.Generator().manual_seed(0)
    numbers = torch.randint(-(2**62), 2**62, (patches,), generator=generator).to(maps.device)
    sums = torch.zeros(merges, patches, dtype=torch.int64, device=maps.device)
    return sums.scatter_add(1, maps, numbers.expand(merges, -1)).gather(1, maps)
