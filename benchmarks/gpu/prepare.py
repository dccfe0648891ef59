"""What a measurement needs, made once: scenes, and weights trained on them.

build/benchmarks/scenes/images/     JPEGs that no model is trained on
build/benchmarks/training/          arrays to train on
build/benchmarks/weights/           a model's weights, and beside them how they came about
build/benchmarks/<commit>/          artifacts, by `benchmarks.record.built`
"""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import tomli_w
from safetensors.torch import load_file, save_file

from benchmarks.gpu.subjects import Subject
from benchmarks.record import ROOT

FOLDER = ROOT / "build" / "benchmarks"
_SCRIPTS = ROOT / "examples" / "scenes"
_SCENES, _TRAINING_SCENES = 1024, 3000
CLASSES = 150  # as ADE20K has, the most of all rows
_BY_CLASS = ("decoder.cls_emb", "decoder.mask_norm.", "decoder.head.")
_CROP_SHARE = 0.8  # of the training, on crops; the rest is on whole scenes


def scenes(count: int = _SCENES) -> Path:
    """A folder of different JPEGs."""
    folder = FOLDER / "scenes"
    if len(list((folder / "images").glob("*.jpg"))) < count:
        _make_dataset("held-out", folder, count)
    return folder / "images"


def weights(subject: Subject, minutes: float, scenes_to_see: int = _TRAINING_SCENES) -> str:
    """Weights of this model, trained for some minutes if there are none; 0 minutes: random.

    A model is trained once, at 512 pixels and for the most classes. A data set of fewer classes
    takes its first ones, and a build resizes the positions to another input.
    """
    if minutes == 0:
        return "random"
    path = FOLDER / "weights" / f"{subject.model}.safetensors"
    if not path.exists():
        _train(subject, minutes, scenes_to_see, path)
    classes = subject.task.classes
    return str(path if classes == CLASSES else with_classes(path, classes))


def with_classes(path: Path, classes: int) -> Path:
    """The same weights with the first classes only, beside ``path``."""
    target = path.with_name(f"{path.stem}-{classes}.safetensors")
    tensors = {
        name: tensor[:classes] if name.startswith(_BY_CLASS) else tensor
        for name, tensor in load_file(path).items()
    }
    about = tomllib.loads(path.with_suffix(".toml").read_text())
    about |= {key: about[key][:classes] for key in ("classes", "palette")}
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, target)
    target.with_suffix(".toml").write_text(tomli_w.dumps(about))
    return target


def describe(weights: str) -> str:
    """Where they come from, in words."""
    if weights == "random":
        return "random"
    about = tomllib.loads(Path(weights).with_suffix(".toml").read_text())["provenance"]
    return f"trained {about['minutes']} min on scenes, {about['images_seen']} images"


def _train(subject: Subject, minutes: float, scenes_to_see: int, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = FOLDER / "training"
    if not (data / "labels.npy").exists():
        _make_dataset("training", data, scenes_to_see)
    settings = {
        "data": data,
        "output": path,
        "checkpoint": path.with_suffix(".pt"),
        "model": subject.model,
        "classes": CLASSES,
        "crop-minutes": minutes * _CROP_SHARE,
        "whole-minutes": minutes * (1 - _CROP_SHARE),
        "search-minutes": minutes,
        "warmup-minutes": minutes / 10,
        "matrix-rate": subject.matrix_rate,
    }
    _run("train.py", *(f"--{name}={value}" for name, value in settings.items()))


def _make_dataset(kind: str, folder: Path, count: int) -> None:
    workers = len(os.sched_getaffinity(0))
    _run("make_dataset.py", kind, f"--output={folder}", f"--count={count}", f"--workers={workers}")


def _run(script: str, *arguments: str) -> None:
    subprocess.run([sys.executable, str(_SCRIPTS / script), *arguments], check=True)
