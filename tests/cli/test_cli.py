"""The command line: what it prints where, and what it exits with."""

import argparse
import json
import resource
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from mpm_deploy import Runner, cli, families, recipe
from mpm_deploy.cli.run import batch_size
from mpm_deploy.measure.search.settings import BUILDS
from mpm_deploy.measure.search.settings import Settings as SweepSettings
from mpm_deploy.measure.speed.defaults import BATCH_SIZES, REPEATS
from mpm_deploy.ops.label_map.reference import label_map
from mpm_deploy.recipe.model_names import MODELS
from mpm_deploy.run.source_options import SourceOptions
from mpm_deploy.serve.settings import Settings as ServeSettings
from tests.cli.running import RANDOM, SMALL, run
from tests.conftest import CLASSES, INPUT_SIZE
from tests.models import official


def test_help_does_not_wait_for_torch() -> None:
    code = (
        "import sys; from contextlib import suppress; from mpm_deploy.cli import main\n"
        "with suppress(SystemExit): main(['build', '--help'])\n"
        "print('torch' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert answer.stdout.splitlines()[-1] == "False"


@pytest.mark.parametrize(
    ("words", "library"),
    [
        (["serve", "a.pt2"], ServeSettings()._asdict() | {"queue": ServeSettings().places}),
        (["sweep", "--recipe=r", "data"], vars(SweepSettings()) | {"builds": BUILDS}),
        (["bench", "a.pt2", "photos"], {"batch": BATCH_SIZES, "repeats": REPEATS}),
        (["run", "a.pt2", "photos"], vars(SourceOptions())),
    ],
)
def test_what_a_command_does_unless_told_is_what_the_library_does(
    words: list[str], library: dict[str, Any]
) -> None:
    chosen = vars(cli._parser().parse_args(words))
    shared = {name for name in library.keys() & chosen.keys() if library[name] is not None}
    assert len(shared) > 1
    assert {name: chosen[name] for name in shared} == {name: library[name] for name in shared}


def test_help_does_not_list_the_worker(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        run("--help")
    assert left.value.code == 0
    shown = capsys.readouterr().out
    assert "doctor" in shown
    assert "worker" not in shown


@pytest.mark.parametrize("word", ["bild", "worke"])
def test_a_word_that_is_no_command_is_told_which_there_are(
    word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        run(word)
    assert left.value.code == 2
    errors = capsys.readouterr().err
    assert "expected one of recipes, models, convert, build, engine" in errors
    assert f"got {word!r}" in errors and "worker" not in errors.replace(repr(word), "")
    assert word != "bild" or "did you mean 'build'?" in errors


def test_an_option_is_named_once_where_its_value_is_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        run("run", "a.pt", "b.jpg", "-o", "out", "--device", "gpu")
    assert "argument --device: expected " in capsys.readouterr().err


def test_libraries_keep_known_warnings_to_themselves() -> None:
    said = (
        "from mpm_deploy.cli import main; main(['recipes'])\n"
        "from torch.export.pt2_archive import _package; from torch.utils import cpp_extension\n"
        "_package.logger.warning('Device information mismatch')\n"
        "cpp_extension.logger.warning('No CUDA runtime is found')\n"
    )
    answer = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True)
    assert (answer.returncode, answer.stderr) == (0, "")


@pytest.mark.parametrize(
    "flag", ["--device", "--stride", "--threads", "--workers", "--root", "--task"]
)
def test_a_flag_means_one_thing_in_every_command(flag: str) -> None:
    meanings = set()
    for module in families.COMMANDS.values():
        parser = argparse.ArgumentParser()
        module.add_options(parser)
        meanings |= {
            (action.help, action.metavar)
            for action in parser._actions
            if flag in action.option_strings and module.HELP is not None
        }
    assert len(meanings) == 1, meanings


def test_recipes_lists_them_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("recipes") == 0
    shown = capsys.readouterr().out
    assert all(known.name in shown for known in recipe.builtin_recipes())


def test_models_says_what_each_costs_and_needs(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("models") == 0
    lines = {line.split()[0]: line.split() for line in capsys.readouterr().out.splitlines() if line}
    assert set(MODELS) < set(lines)
    _, parameters, gflops, special, head, *weights = lines["seg_s16_mask"]
    assert (parameters, gflops, special, head) == ("26.0", "76.8", "1", "mask_transformer")
    assert weights == ["checkpoint,", "random"]
    assert lines["seg_t16_mask"][5:] == ["demo,", "checkpoint,", "random"]
    assert lines["seg_deit_b16_mask"][3] == "2"


def test_models_paper_gives_options_that_build_takes(
    artifact: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[recipe.Recipe] = []

    def build(wanted: recipe.Recipe, *_: object, **__: object) -> Path:
        asked.append(wanted)
        return artifact

    monkeypatch.setattr("mpm_deploy.builder.build.build", build)
    assert run("models", "--paper") == 0
    shown = capsys.readouterr().out
    assert "CTS: with --set merge.method=cts" in shown
    lines = [line for line in shown.splitlines() if "--recipe" in line]
    for line in lines:
        options = line[line.index("--recipe") :].split()
        assert run("build", *options, "--weights", "random") == 0
    inputs = {(r.model.image_size, r.model.classes) for r in asked}
    squares = ((512, 150), (480, 60), (768, 19), (896, 150))
    assert inputs == {((side, side), classes) for side, classes in squares}
    assert len({(r.name, r.model) for r in asked}) == len(lines) == 17
    assert [line.split()[0] for line in lines][-1] == "7" and "eva_g16" in lines[-1]


def test_set_goes_over_task(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "small.pt"
    options = [
        "--task",
        "cityscapes",
        "--weights",
        "random",
        "--set",
        "model.image_size=[32,48]",
        "--set",
        "input.stride=32",
    ]
    assert run("build", "--recipe", "cpu_portable_fp32", *options, "-o", path) == 0
    assert run("inspect", path, "--json") == 0
    manifest = json.loads(capsys.readouterr().out.partition("\n")[2])
    assert len(manifest["model"]["classes"]) == 19
    asked = manifest["input"]
    assert (asked["height"], asked["width"]) == (32, 48)
    assert (asked["fit"], asked["stride"], asked["short_side"]) == ("slide", 32, 1024)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["serve"],
        ["build"],
        ["convert", "checkpoint.pth"],
        ["build", "--recipe", "cpu_portable_fp32", "--ful"],
        ["inspect"],
        ["run", "a.pt", "images"],
        ["run", "a.pt", "images", "-o", "out", "--device", "gpu"],
        ["run", "a.pt", "images", "-o", "out", "--label-size", "window"],
        ["run", "a.pt", "images", "-o", "out", "--workers", "0"],
        ["bench", "a.pt"],
        ["bench", "a.pt", "images", "--batch", "1,0"],
        ["bench", "a.pt", "images", "--batch", "1,,2"],
        ["bench", "a.pt", "images", "--repeats", "-1"],
        ["eval", "a.pt"],
        ["sweep", "--recipe", "cpu_fp32", "data", "--schedule", "2,x"],
        ["advise", "--recipe", "cpu_fp32", "data"],
        ["advise", "--recipe", "cpu_fp32", "data", "--min-fps", "0"],
        ["advise", "--recipe", "cpu_fp32", "data", "--max-drop", "1", "--min-fps", "9"],
        ["eval", "a.pt", "ade20k", "--root", "data", "--limit", "0"],
    ],
)
def test_wrong_usage_exits_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        run(*arguments)
    assert left.value.code == 2
    assert "usage: mpm-deploy" in capsys.readouterr().err


def test_build_prints_the_path_and_says_that_weights_are_random(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "full.pt"
    assert run("build", "--recipe", "cpu_portable_fp32", *SMALL, "--full-token", "-o", path) == 0
    captured = capsys.readouterr()
    assert captured.out == f"{path}\n"
    assert RANDOM in captured.err
    assert run("inspect", path, "--json") == 0
    manifest = json.loads(capsys.readouterr().out)
    assert manifest["merge"]["blocks"] == []


@pytest.mark.parametrize(
    ("arguments", "problem", "hint"),
    [
        (["--recipe", "cpu_fp23"], "'cpu_fp23'", "did you mean 'cpu_fp32'?"),
        (["--recipe", "none.toml"], "none.toml: cannot be read", "mpm-deploy recipes"),
        (
            ["--recipe", "cpu_portable_fp32", "--model", "vit"],
            "model.name: unknown value 'vit'",
            None,
        ),
        (["--recipe", "cpu_portable_fp32", "--set", "merge.x=1"], "merge.x: unknown key", None),
        (["--recipe", "cpu_portable_fp32", "--set", "merge"], "section.key=value", None),
        (["--recipe", "cpu_portable_fp32", "--task", "coco"], "'coco'", "model.classes=K"),
    ],
)
def test_recipe_errors_exit_1(
    arguments: list[str], problem: str, hint: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("build", *arguments) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("error: ")
    assert problem in lines[0]
    assert hint is None or (lines[1].startswith("  hint: ") and hint in lines[1])


@pytest.mark.parametrize(
    "arguments",
    [
        ["build", "--recipe", "cpu_portable_fp32", "-o", "none/a.pt"],
        ["bench", "a.pt", "images", "--json", "none/report.json"],
        ["eval", "a.pt", "ade20k", "--root", "data", "--json", "none/evaluation.json"],
        ["eval", "a.pt", "ade20k", "--root", "data", "--state", "none/state.json"],
        ["convert", "checkpoint.pth", "-o", "none/it.safetensors"],
    ],
)
def test_a_missing_folder_is_said_before_the_work(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == 1
    assert "cannot write there: no such folder" in capsys.readouterr().err


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A made-up official one: another model and another size than the recipe's."""
    return official.write_checkpoint(
        tmp_path, "deit_tiny_distilled_patch16_224", head="linear", classes=19
    )


def test_a_checkpoint_needs_nothing_else(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "it.pt"
    options = ("--recipe", "cpu_portable_fp32", "-o", path)
    assert run("build", *options, "--weights", checkpoint) == 0
    captured = capsys.readouterr()
    assert captured.out == f"{path}\n"
    assert RANDOM not in captured.err
    assert run("inspect", path) == 0
    shown = capsys.readouterr().out
    assert "seg_deit_t16_linear" in shown and "64 × 64" in shown and "19: road" in shown

    # an artifact holds its recipe: it takes other weights, and the model with them
    other = official.write_checkpoint(tmp_path, "vit_tiny_patch16_384", head="linear")
    assert run("build", "--recipe", path, "--weights", other, "-o", tmp_path / "other.pt") == 0
    assert run("inspect", tmp_path / "other.pt") == 0
    assert "seg_t16_linear" in capsys.readouterr().out


def test_a_model_that_the_checkpoint_is_not_for_exits_1(
    checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--recipe", "cpu_portable_fp32", "--weights", checkpoint)
    assert run("build", *options, "--model", "seg_t16_mask") == 1
    lines = capsys.readouterr().err.splitlines()
    assert "model.name: expected 'seg_deit_t16_linear'" in lines[0]
    assert "--model seg_deit_t16_linear" in lines[1]


def test_convert_leaves_the_pickle_behind(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "mine.safetensors"
    assert run("convert", checkpoint, "-o", target) == 0
    captured = capsys.readouterr()
    assert captured.out == f"{target}\n"
    assert "seg_deit_t16_linear for 64 × 64 pixels, 19 classes" in captured.err
    checkpoint.unlink()
    options = ("--recipe", "cpu_portable_fp32", "-o", tmp_path / "it.pt")
    assert run("build", *options, "--weights", target) == 0


def test_convert_past_the_limit_of_a_files_size_exits_1_with_the_cure(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "mine.safetensors"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))
    try:
        assert run("convert", checkpoint, "-o", target) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    said = capsys.readouterr().err
    assert said.startswith(f"error: {target}: cannot write there: File too large\n")
    assert "ulimit -f" in said
    assert not list(tmp_path.glob("*mine*"))


def test_a_checkpoint_alone_exits_1_with_the_cure(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint.with_name("variant.yml").unlink()
    target = tmp_path / "mine.safetensors"
    assert run("convert", checkpoint, "-o", target) == 1
    lines = capsys.readouterr().err.splitlines()
    assert "variant.yml: cannot be read" in lines[0]
    assert "beside the checkpoint" in lines[1]
    assert not target.exists()


def test_inspect_says_what_it_is(artifact: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("inspect", artifact) == 0
    captured = capsys.readouterr()
    assert "mpm before blocks 2 and 5" in captured.out
    assert f"{INPUT_SIZE[0]} × {INPUT_SIZE[1]}" in captured.out
    assert RANDOM in captured.err


@pytest.mark.parametrize(
    ("asked", "live", "expected"), [(None, False, 3), (None, True, 1), (2, False, 2), (2, True, 2)]
)
def test_a_run_fills_the_cores_but_waits_for_no_frame_of_a_camera(
    asked: int | None, live: bool, expected: int
) -> None:
    arguments, source = argparse.Namespace(batch=asked), argparse.Namespace(live=live)
    runner = argparse.Namespace(usual_batch_size=3)
    assert batch_size(arguments, runner, source) == expected


def test_run_writes_an_indexed_png_of_each_images_size(
    artifact: Path, image_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "new" / "label_maps"
    assert run("run", artifact, image_folder, "-o", output, "--batch", 2) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert RANDOM in captured.err
    images = sorted(image_folder.iterdir())
    assert sorted(path.name for path in output.iterdir()) == [f"{i.stem}.png" for i in images]
    for image in images:
        with Image.open(image) as picture, Image.open(output / f"{image.stem}.png") as labels:
            assert labels.mode == "P"
            assert labels.size == picture.size
            assert np.asarray(labels).max() < CLASSES


def test_run_writes_label_maps_of_the_inputs_size(
    artifact: Path, image_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, seen = image_folder / "image_1.png", []
    begin = Runner.__init__

    def watched(self: Runner, *words: Any, **options: Any) -> None:
        begin(self, *words, **options)
        seen.append(self.workers)

    monkeypatch.setattr(Runner, "__init__", watched)
    for size in ("image", "input"):
        options = ("--label-size", size, "--workers", 3)
        assert run("run", artifact, image, "-o", tmp_path / size, *options) == 0
        with Image.open(tmp_path / size / "image_1.png") as labels, Image.open(image) as picture:
            assert labels.size == (picture.size if size == "image" else INPUT_SIZE[::-1])
            assert picture.size != INPUT_SIZE[::-1]
    assert seen == [3, 3]


def test_run_writes_scores_where_they_are_asked_for(
    artifact: Path, image_folder: Path, tmp_path: Path
) -> None:
    image = next(image_folder.glob("*.jpg"))
    for name in ("same.jpg", "same.png", "other.jpg"):
        (tmp_path / name).write_bytes(image.read_bytes())
    images = [tmp_path / name for name in ("same.jpg", "same.png", "other.jpg")]
    output = tmp_path / "out"
    assert run("run", artifact, *images, "-o", output, "--scores") == 0
    names = {"same.jpg.png", "same.jpg.npy", "same.png.png", "same.png.npy"}
    assert {path.name for path in output.iterdir()} == {*names, "other.png", "other.npy"}
    for file in output.glob("*.npy"):
        scores = torch.from_numpy(np.load(file))
        assert scores.dtype == torch.float32 and scores.shape == (CLASSES, 4, 6)
        with Image.open(file.with_suffix(".png")) as picture:
            labels = np.asarray(picture)
        assert (label_map(scores[None], labels.shape)[0].numpy() == labels).all()


def test_run_skips_names_and_exits_3(
    artifact: Path, mixed_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "label_maps"
    assert run("run", artifact, mixed_folder, "-o", output) == 3
    assert f"skipped {mixed_folder / 'broken.png'}: " in capsys.readouterr().err
    assert len(list(output.iterdir())) == len(list(mixed_folder.iterdir())) - 1


def test_run_with_no_images_exits_1(
    artifact: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("run", artifact, tmp_path / "none", "-o", tmp_path / "out") == 1
    assert run("run", artifact, tmp_path, "-o", tmp_path / "out") == 1
    assert capsys.readouterr().err.count("error: ") == 2
    assert not (tmp_path / "out").exists()


def test_broken_artifacts_exit_1_with_a_cure(
    artifact: Path, image_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = artifact.read_bytes()
    flipped = bytearray(whole)
    flipped[len(flipped) // 2] ^= 1
    broken = {"truncated.pt": whole[:-1000], "flipped.pt": flipped, "text.pt": b"text", "0.pt": b""}
    for name, content in broken.items():
        (tmp_path / name).write_bytes(content)
    with zipfile.ZipFile(tmp_path / "foreign.pt", "w") as foreign:
        foreign.writestr("foreign/data.pkl", b"")
    for path in [*tmp_path.glob("*.pt"), tmp_path / "missing.pt", tmp_path]:
        for command in (["inspect", path], ["run", path, image_folder, "-o", tmp_path / "out"]):
            assert run(*command) == 1, path
            lines = capsys.readouterr().err.splitlines()
            assert lines[0].startswith(f"error: {path}: ")
            assert lines[1].startswith("  hint: ")


def test_doctor_exits_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("doctor") == 0
    assert "torch" in capsys.readouterr().out


def test_a_bug_is_said_to_be_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(recipe, "builtin_recipes", broken)
    assert run("recipes") == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "error: this is a bug in mpm-deploy: ZeroDivisionError: by zero"
    assert "--debug" in lines[1]
    with pytest.raises(ZeroDivisionError):
        run("--debug", "recipes")


def test_an_interrupt_exits_130_silently(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(recipe, "builtin_recipes", interrupted)
    assert run("recipes") == 130
    assert capsys.readouterr().err == ""
