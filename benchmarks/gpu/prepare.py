"""Prepares what a measurement needs, once: scenes, and weights trained on them.

    python -m benchmarks.gpu.prepare scenes COUNT
    python -m benchmarks.gpu.prepare training COUNT
    python -m benchmarks.gpu.prepare train MODEL SECONDS

build/benchmarks/scenes/images/     JPEGs that no model is trained on
build/benchmarks/training/          arrays to train on
build/benchmarks/weights/           a model's weights, and beside them how they came about
build/benchmarks/<state>/           artifacts, by `benchmarks.bench.cache`
"""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import tomli_w
from safetensors.torch import load_file, save_file

from benchmarks.bench.cache import FOLDER
from benchmarks.gpu.rows import Subject, choose
from benchmarks.record import ROOT

CLASSES = 150  # as ADE20K has, the most of all rows
_BY_CLASS = ("decoder.cls_emb", "decoder.mask_norm.", "decoder.head.")
_CROP_SHARE = 0.8  # of the training, on crops; the rest is on whole scenes


def scenes(count: int) -> Path:
    """Make a folder of different JPEGs, unless it is there, and return it."""
    folder = FOLDER / "scenes"
    if len(list((folder / "images").glob("*.jpg"))) < count:
        _make_dataset("held-out", folder, count)
    return folder / "images"


def weights(subject: Subject) -> str:
    """Return the weights trained for this model, or ``"random"`` where there are none.

    A model is trained once, at 512 pixels and for the most classes. A data set of fewer classes
    takes its first ones, and a build resizes the positions to another input.
    """
    path = FOLDER / "weights" / f"{subject.model}.safetensors"
    if not path.exists():
        return "random"
    classes = subject.task.classes
    found = path if classes == CLASSES else with_classes(path, classes)
    return os.path.relpath(found)  # a manifest holds it: no folder of this machine


def with_classes(path: Path, classes: int) -> Path:
    """Write the same weights with the first classes only, beside ``path``, and return that file."""
    target = path.with_name(f"{path.stem}-{classes}.safetensors")
    if target.exists():
        return target
    tensors = {
        name: tensor[:classes] if name.startswith(_BY_CLASS) else tensor
        for name, tensor in load_file(path).items()
    }
    about = tomllib.loads(path.with_suffix(".toml").read_text())
    about |= {key: about[key][:classes] for key in ("classes", "palette")}
    target.with_suffix(".toml").write_text(tomli_w.dumps(about))
    whole = target.with_suffix(f".{os.getpid()}")  # builds run side by side
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, whole)
    return whole.replace(target)


def describe(weights: str) -> str:
    """Say in words where the weights come from."""
    if weights == "random":
        return "random"
    about = tomllib.loads(Path(weights).with_suffix(".toml").read_text())["provenance"]
    return f"trained {about['minutes']} min on scenes, {about['images_seen']} images"


def train(model: str, seconds: float) -> None:
    """Train a model on the training scenes; with 0 seconds, leave it without weights."""
    path = FOLDER / "weights" / f"{model}.safetensors"
    if seconds == 0 or path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    minutes = seconds / 60
    settings = {
        "data": FOLDER / "training",
        "output": path,
        "model": model,
        "classes": CLASSES,
        "crop-minutes": minutes * _CROP_SHARE,
        "whole-minutes": minutes * (1 - _CROP_SHARE),
        "search-minutes": minutes,
        "warmup-minutes": minutes / 10,
        "matrix-rate": choose(models=[model])[0].matrix_rate,
    }
    _run("train.py", *(f"--{name}={value}" for name, value in settings.items()))


def _make_dataset(kind: str, folder: Path, count: int) -> None:
    workers = len(os.sched_getaffinity(0))
    _run("make_dataset.py", kind, f"--output={folder}", f"--count={count}", f"--workers={workers}")


def _run(script: str, *arguments: str) -> None:
    path = ROOT / "examples" / "scenes" / script
    subprocess.run([sys.executable, str(path), *arguments], check=True)


def main(kind: str, *arguments: str) -> None:
    if kind == "scenes":
        scenes(int(arguments[0]))
    elif kind == "training":
        _make_dataset("training", FOLDER / "training", int(arguments[0]))
    else:
        train(arguments[0], float(arguments[1]))


if __name__ == "__main__":
    main(*sys.argv[1:])
