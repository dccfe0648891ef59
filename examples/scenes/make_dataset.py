"""Writes scenes to disk: the held-out set, a street by day and by night, or training arrays.

    python examples/scenes/make_dataset.py held-out
    python examples/scenes/make_dataset.py day-night
    python examples/scenes/make_dataset.py training --output /tmp/scenes --count 5000

Seeds below 100,000 are held out; training scenes start there.
"""

import argparse
import io
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from generator import PALETTE, SIZE, hour_of, scene
from numpy.typing import NDArray
from PIL import Image
from street.light import Hour

HERE = Path(__file__).resolve().parent
TRAINING_SEED = 100_000  # the first training seed; all held-out seeds are below
HELD_OUT_COUNT = 72
DAY_NIGHT_COUNT = 1
JPEG_QUALITY = 90


def held_out_seeds(count: int = HELD_OUT_COUNT) -> list[int]:
    """Returns the seeds of the held-out scenes: half by day, a tenth at dusk, the rest at night."""
    wanted = {"day": count // 2, "dusk": count // 9}
    wanted["night"] = count - sum(wanted.values())
    chosen = []
    for seed in range(TRAINING_SEED):
        hour = hour_of(seed)
        if wanted[hour] > 0:
            wanted[hour] -= 1
            chosen.append(seed)
        if len(chosen) == count:
            break
    return chosen


def held_out_name(seed: int) -> str:
    """Returns the base name of a held-out scene, of its image and of its label map."""
    return f"scene_{seed:04d}_{hour_of(seed)}"


def encode(image: NDArray[np.uint8], quality: int = JPEG_QUALITY) -> bytes:
    """Encodes an image (H, W, 3) as a JPEG file."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def write_held_out(folder: Path, count: int, workers: int) -> None:
    """Writes images/*.jpg and labels/*.png (indexed, with the classes' palette)."""
    for kind in ("images", "labels"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(workers) as pool:
        list(pool.map(partial(_write_scene, folder), held_out_seeds(count)))


def write_day_night(folder: Path, count: int, workers: int) -> None:
    """Writes day_night/*.jpg: the first held-out streets, each by day and by night."""
    (folder / "day_night").mkdir(parents=True, exist_ok=True)
    seeds = held_out_seeds()[:count]
    with ProcessPoolExecutor(workers) as pool:
        for hour in ("day", "night"):
            list(pool.map(partial(_write_street, folder / "day_night", hour), seeds))


def _write_street(folder: Path, hour: Hour, seed: int) -> None:
    image, _ = scene(seed, hour)
    (folder / f"scene_{seed:04d}_{hour}.jpg").write_bytes(encode(image))


def _write_scene(folder: Path, seed: int) -> None:
    image, labels = scene(seed)
    (folder / "images" / f"{held_out_name(seed)}.jpg").write_bytes(encode(image))
    indexed = Image.fromarray(labels).convert("P")
    indexed.putpalette([channel for color in PALETTE for channel in color])
    indexed.save(folder / "labels" / f"{held_out_name(seed)}.png", optimize=True)


def _fill(folder: Path, count: int, worker: int, workers: int) -> None:
    """Renders every `workers`-th training scene, through JPEG as real images come."""
    images = np.load(folder / "images.npy", mmap_mode="r+")
    labels = np.load(folder / "labels.npy", mmap_mode="r+")
    for index in range(worker, count, workers):
        image, labels[index] = scene(TRAINING_SEED + index)
        jpeg = encode(image, quality=80 + index % 16)
        images[index] = np.asarray(Image.open(io.BytesIO(jpeg)))


def write_training(folder: Path, count: int, workers: int) -> None:
    """Writes images.npy (count, 512, 512, 3) and labels.npy (count, 512, 512), both uint8."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, shape in (("images", (count, SIZE, SIZE, 3)), ("labels", (count, SIZE, SIZE))):
        np.lib.format.open_memmap(folder / f"{name}.npy", "w+", np.uint8, shape).flush()
    with ProcessPoolExecutor(workers) as pool:
        jobs = [pool.submit(_fill, folder, count, worker, workers) for worker in range(workers)]
        for job in jobs:
            job.result()


WRITERS = {"held-out": write_held_out, "day-night": write_day_night, "training": write_training}


def main(arguments: Sequence[str] | None = None) -> None:
    """Parses the command line and writes one of the sets."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    kinds = parser.add_subparsers(dest="kind", required=True)
    held_out = kinds.add_parser("held-out", help="JPEGs and label maps beside this script")
    held_out.add_argument("--output", type=Path, default=HERE)
    held_out.add_argument("--count", type=int, default=HELD_OUT_COUNT)
    day_night = kinds.add_parser("day-night", help="a street by day and by night, as JPEGs")
    day_night.add_argument("--output", type=Path, default=HERE)
    day_night.add_argument("--count", type=int, default=DAY_NIGHT_COUNT)
    training = kinds.add_parser("training", help="memory-mapped arrays for train.py")
    training.add_argument("--output", type=Path, default=Path("scenes"))
    training.add_argument("--count", type=int, default=5000)
    for kind in (held_out, day_night, training):
        kind.add_argument("--workers", type=int, default=2)
    options = parser.parse_args(arguments)
    WRITERS[options.kind](options.output, options.count, options.workers)
    print(f"{options.count} scenes in {options.output}")


if __name__ == "__main__":
    main()
