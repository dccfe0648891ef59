"""What a measurement needs, made once: scenes, weights trained on them, artifacts.

build/benchmarks/scenes/images/     JPEGs that no model is trained on
build/benchmarks/training/          arrays to train on
build/benchmarks/weights/           a model's weights, and beside them how they came about
build/benchmarks/<commit>/          artifacts
"""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

from benchmarks.gpu.subjects import CLASSES, Subject
from benchmarks.record import ROOT, built
from mpm_deploy.recipe import Recipe

FOLDER = ROOT / "build" / "benchmarks"
_SCRIPTS = ROOT / "examples" / "scenes"
_SCENES, _TRAINING_SCENES = 1024, 3000
_CROP_SHARE = 0.8  # of the training, on crops; the rest is on whole scenes


def scenes(count: int = _SCENES) -> Path:
    """A folder of different JPEGs."""
    folder = FOLDER / "scenes"
    if len(list((folder / "images").glob("*.jpg"))) < count:
        _make_dataset("held-out", folder, count)
    return folder / "images"


def weights(subject: Subject, minutes: float, scenes_to_see: int = _TRAINING_SCENES) -> str:
    """Weights of this model, trained for some minutes if there are none; 0 minutes: random."""
    if minutes == 0:
        return "random"
    path = FOLDER / "weights" / f"{subject.model}.safetensors"
    if not path.exists():
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
    return str(path)


def describe(weights: str) -> str:
    """Where they come from, in words."""
    if weights == "random":
        return "random"
    about = tomllib.loads(Path(weights).with_suffix(".toml").read_text())["provenance"]
    return f"trained {about['minutes']} min on scenes, {about['images_seen']} images"


def artifacts(recipe: Recipe, model: str) -> dict[str, Path]:
    """Three files of one recipe: merged, the same decoded as the paper does, and full-token."""
    variants = {
        "merged": recipe,
        "before_decoder": recipe.override("merge.reconstruct=before_decoder"),
        "full_token": recipe.full_token(),
    }
    return {name: built(variant, f"{model}_{name}") for name, variant in variants.items()}


def _make_dataset(kind: str, folder: Path, count: int) -> None:
    workers = len(os.sched_getaffinity(0))
    _run("make_dataset.py", kind, f"--output={folder}", f"--count={count}", f"--workers={workers}")


def _run(script: str, *arguments: str) -> None:
    subprocess.run([sys.executable, str(_SCRIPTS / script), *arguments], check=True)
