"""Embeds pictures in the page itself, with the histograms that go with them."""

import base64
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from mpm_deploy.errors import InputError
from mpm_deploy.show.charts import column_chart
from mpm_deploy.show.gallery import Gallery, PictureEntry
from mpm_deploy.show.page.artifacts import Naming
from mpm_deploy.show.page.documents import PictureFolder
from mpm_deploy.show.page.speed import Chart
from mpm_deploy.show.tables import place

_WIDEST, _QUALITY = 1600, 82  # pixels, and of WebP: a picture of three panels takes about 150 kB
_NEAR = 2  # patches: what is nearer touches, at least by a corner
_LAST_COLUMN = 12  # patches: what is farther is counted together
_ENOUGH_IMAGES = 8  # for a histogram of them


@dataclass(frozen=True)
class Embedded:
    """A picture as a ``data:`` address, its size in pixels, and what it shows."""

    address: str
    width: int
    height: int
    caption: str


@dataclass(frozen=True)
class Figure:
    """The pictures of one image."""

    title: str
    facts: str
    pictures: tuple[Embedded, ...]


@dataclass(frozen=True)
class Pictures:
    """The section on one folder of pictures."""

    title: str
    charts: tuple[Chart, ...]
    figures: tuple[Figure, ...]


def picture_sections(folders: Sequence[PictureFolder], naming: Naming) -> list[Pictures]:
    """Make one section per folder.

    Raises:
        InputError: A picture that is not there, or none.
    """
    return [_section(folder, naming) for folder in folders]


def _section(folder: PictureFolder, naming: Naming) -> Pictures:
    gallery = folder.gallery
    if gallery is None:
        pictures = tuple(_embed(folder.folder / p.file, p.caption) for p in folder.loose)
        return Pictures(folder.folder.name, (), (Figure("", "", pictures),))
    figures = []
    for image in gallery.images:
        embedded = tuple(_embed(folder.folder / p.file, p.caption) for p in image.pictures)
        patches = _patches(gallery, image)
        facts = [f"{kept} of {patches} tokens kept" for kept in image.tokens_kept[-1:]]
        if image.labels_equal is not None:
            facts.append(f"{image.labels_equal:.1%} of the labels equal")
        figures.append(Figure(Path(image.image).name, ", ".join(facts), embedded))
    color = naming.color(gallery.artifact)
    charts = (*_distance_charts(folder, color), *_tokens_chart(folder, color))
    return Pictures(naming.name(gallery.artifact), charts, tuple(figures))


def _distance_charts(folder: PictureFolder, color: str) -> Iterator[Chart]:
    gallery = folder.gallery
    if gallery is None:
        return
    blocks, where = gallery.artifact.merge.blocks, place(gallery.artifact.merge)
    for block, pairs in zip(blocks, gallery.distances, strict=False):
        if not sum(pairs):
            continue
        counts = [*pairs[:_LAST_COLUMN], sum(pairs[_LAST_COLUMN:])]
        counts += [0] * (_LAST_COLUMN + 1 - len(counts))
        labels = [*map(str, range(_LAST_COLUMN)), f"{_LAST_COLUMN}+"]
        titles = [
            f"{count:,} pairs, {count / sum(pairs):.1%}, {label} patches apart"
            for count, label in zip(counts, labels, strict=True)
        ]
        svg = column_chart(counts, labels, titles, color, "distances between merged patches")
        near = sum(pairs[:_NEAR]) / sum(pairs)
        hint = f"pairs by whole patches between them; {near:.0%} lie less than {_NEAR} apart"
        yield Chart(f"How far apart, {where} block {block}", hint, svg)


def _tokens_chart(folder: PictureFolder, color: str) -> Iterator[Chart]:
    gallery = folder.gallery
    if gallery is None:
        return
    kept = [image.tokens_kept[-1] for image in gallery.images if image.tokens_kept]
    if len(kept) < _ENOUGH_IMAGES or min(kept) == max(kept):
        return
    counts, edges = np.histogram(kept, bins=min(12, max(kept) - min(kept)))
    labels = [f"{edge:.0f}" if i % 3 == 0 else "" for i, edge in enumerate(edges[:-1])]
    titles = [
        f"{count} images keep {low:.0f} to {high:.0f} tokens"
        for count, low, high in zip(counts, edges[:-1], edges[1:], strict=True)
    ]
    svg = column_chart(counts.tolist(), labels, titles, color, "tokens kept")
    patches = sorted({_patches(gallery, image) for image in gallery.images})
    most = f" to {patches[-1]}" if len(patches) > 1 else ""  # they differ in windows
    yield Chart("Tokens kept", f"images by tokens kept of {patches[0]}{most}", svg)


def _patches(gallery: Gallery, image: PictureEntry) -> int:
    """Return the patches of an image, of all its windows."""
    return gallery.patches if image.patches is None else image.patches


def _embed(path: Path, caption: str) -> Embedded:
    try:
        with Image.open(path) as picture:
            small = picture.convert("RGB")
    except (OSError, UnidentifiedImageError) as error:
        raise InputError(
            f"{path}: expected a picture, got: {error}", "draw it again with mpm-deploy visualize"
        ) from error
    small.thumbnail((_WIDEST, _WIDEST), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    small.save(file, "WEBP", quality=_QUALITY, method=4)
    data = base64.b64encode(file.getvalue()).decode()
    return Embedded(f"data:image/webp;base64,{data}", small.width, small.height, caption)
