"""An artifact becomes a model of a Triton server: here are its protobuf and torch's loaders.

To compile with AOTInductor takes long.
"""

import json
import re
import shutil
import subprocess
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np
import pytest
import torch
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from mpm_deploy.builder import triton_server
from mpm_deploy.builder.build import build
from mpm_deploy.builder.model import make_model
from mpm_deploy.builder.triton_server import export_to_triton
from mpm_deploy.builder.verify import verification_images
from mpm_deploy.errors import AgreementError, InputError, RecipeError
from mpm_deploy.models import GridHead
from mpm_deploy.recipe import Recipe, load_recipe
from mpm_deploy.run.runner import Runner
from tests.cli.running import run
from tests.conftest import CLASSES, INPUT_SIZE, built_once, cpu_recipes, small_recipe
from tests.models.test_own import RECIPE as OWN_RECIPE
from tests.models.test_own import Fine, own
from tests.support.scripts import ROOT

HEIGHT, WIDTH = INPUT_SIZE
GRID = (HEIGHT // 16, WIDTH // 16)
TYPES = {"TYPE_UINT8": torch.uint8, "TYPE_INT32": torch.int32, "TYPE_FP32": torch.float32}


@dataclass(frozen=True)
class Exported:
    """A folder of the repository, as the server reads it."""

    artifact: Path
    folder: Path

    @property
    def config(self) -> Any:
        text = (self.folder / "config.pbtxt").read_text()
        return text_format.Parse(text, model_config_pb2.ModelConfig())

    def load(self) -> Callable[[torch.Tensor], Any]:
        (path,) = (self.folder / "1").iterdir()
        if path.name == "model.pt2":
            return torch._inductor.aoti_load_package(str(path))
        assert path.name == "model.pt"
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", r".*torch\.jit\.load` is ")  # deprecated
            return torch.jit.load(path)


class StandIn:
    """Answers as the server would, by what is written in the folder alone."""

    def __init__(self, exported: Exported) -> None:
        self._model = exported.load()
        self._config = exported.config

    def infer(self, name: str, inputs: list[Any], outputs: list[Any]) -> "StandIn":
        assert name == self._config.name
        (image,), (expected,) = inputs, self._config.input
        assert (image.name(), list(image.shape())) == (expected.name, list(expected.dims))
        assert f"TYPE_{image.datatype()}" == model_config_pb2.DataType.Name(expected.data_type)
        pixels = np.frombuffer(image._get_content(), np.uint8).reshape(image.shape())
        given = dict(
            zip(
                (one.name for one in self._config.output),
                self._model(torch.tensor(pixels)),
                strict=True,
            )
        )
        self._answer = {output.name(): given[output.name()] for output in outputs}
        return self

    def as_numpy(self, name: str) -> np.ndarray:
        return self._answer[name].numpy()


PLATFORMS = {".pt2": "torch_aoti", ".pt": "pytorch_libtorch"}  # what a server loads a file with


@pytest.fixture(
    scope="module",
    params=[
        recipe
        for recipe in cpu_recipes(quick=("cpu_portable_fp32",))
        if load_recipe(recipe.values[0]).backend.member.suffix in PLATFORMS
    ],
)
def exported(
    request: pytest.FixtureRequest,
    shared_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Exported:
    recipe = small_recipe(request.param)
    artifact = built_once(recipe, shared_folder / f"{recipe.name}{recipe.backend.member.suffix}")
    repository = tmp_path_factory.mktemp("models")
    made = export_to_triton(artifact, repository, name="segmenter")
    assert made.folder == repository / "segmenter"
    assert [path.name for path in repository.iterdir()] == ["segmenter"]
    return Exported(artifact, made.folder)


def test_the_configuration_is_the_servers_protobuf(exported: Exported) -> None:
    config = exported.config
    assert config.name == "segmenter" and config.backend == "pytorch"
    assert config.platform == PLATFORMS[exported.artifact.suffix]
    assert config.max_batch_size == 0 and not config.HasField("dynamic_batching")
    (group,) = config.instance_group
    assert group.kind == model_config_pb2.ModelInstanceGroup.KIND_CPU
    (image,) = config.input
    assert (image.name, list(image.dims)) == ("INPUT__0", [1, 3, HEIGHT, WIDTH])
    assert [list(output.dims) for output in config.output] == [
        [1, HEIGHT, WIDTH],
        [1, CLASSES, *GRID],
        [1, 2, GRID[0] * GRID[1]],
    ]


def test_the_guide_shows_the_configuration(exported: Exported) -> None:
    if exported.artifact.suffix != ".pt2":
        pytest.skip("it shows one of AOTInductor")
    guide = (ROOT / "docs" / "guides" / "triton.md").read_text()
    (shown,) = re.findall(r'((?:^    \w+(?:: "| \[|: \d).*\n){4,})', guide, re.MULTILINE)
    written = (exported.folder / "config.pbtxt").read_text()
    without_sizes = [re.sub(r"dims: \[.*?\]", "", text) for text in (dedent(shown), written)]
    assert without_sizes[0] == without_sizes[1]


def test_its_outputs_are_what_it_says_and_its_labels_the_artifacts(exported: Exported) -> None:
    run_model, described = exported.load(), exported.config.output
    with Runner(exported.artifact, label_size="input") as runner:
        for image in verification_images(3, INPUT_SIZE, seed=1):
            with torch.inference_mode():  # as the server
                outputs = run_model(image[None])
            for index, (output, tensor) in enumerate(zip(described, outputs, strict=True)):
                assert output.name == f"OUTPUT__{index}"
                assert list(output.dims) == list(tensor.shape)
                data_type = model_config_pb2.DataType.Name(output.data_type)
                assert TYPES[data_type] == tensor.dtype
            expected = runner(image, outputs=("labels", "scores"))
            np.testing.assert_equal(outputs[0][0].numpy(), expected.labels)
            np.testing.assert_allclose(outputs[1][0].numpy(), expected.scores, atol=1e-4)


def test_torchs_loader_in_cpp_gives_the_runners_labels(
    exported: Exported, cpp_command: list[str]
) -> None:
    if exported.artifact.suffix != ".pt2":
        pytest.skip("of TorchScript, C++ loads what Python does")
    program = Path(cpp_command[0]).parent / "cpp" / "tests" / "run_package"
    package = exported.folder / "1" / "model.pt2"
    with Runner(exported.artifact, label_size="input") as runner:
        for image in verification_images(3, INPUT_SIZE, seed=1):
            done = subprocess.run(
                [program, package, str(HEIGHT), str(WIDTH)],
                input=image.numpy().tobytes(),
                capture_output=True,
            )
            assert done.returncode == 0, done.stderr.decode()
            labels = np.frombuffer(done.stdout, np.uint8).reshape(INPUT_SIZE)
            np.testing.assert_equal(labels, runner(image).labels)


def test_the_server_finds_positional_tensors_in_the_package(exported: Exported) -> None:
    """It reads their names from the call specification that torch puts into one."""
    if exported.artifact.suffix != ".pt2":
        pytest.skip("TorchScript has none")
    inputs, outputs = map(json.loads, exported.load().loader.get_call_spec())  # type: ignore[attr-defined]
    (arguments, keywords) = inputs[1]["children_spec"]
    assert inputs[1]["type"] == arguments["type"] == outputs[1]["type"] == "builtins.tuple"
    assert len(arguments["children_spec"]) == 1 and keywords["children_spec"] == []
    assert len(outputs[1]["children_spec"]) == 3


def test_what_merges_nothing_has_no_merge_maps(full_token_artifact: Path, tmp_path: Path) -> None:
    folder = export_to_triton(full_token_artifact, tmp_path).folder
    config = Exported(full_token_artifact, folder).config
    assert folder.name == config.name == full_token_artifact.stem
    assert [output.name for output in config.output] == ["OUTPUT__0", "OUTPUT__1"]


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("there", "there: expected no model of that name, found one"),
        ("../out", "name: expected letters, digits"),
        ("my model", "name: expected letters, digits"),
        (".hidden", "name: expected letters, digits"),
        ("", "name: expected letters, digits"),
    ],
)
def test_names_are_refused_before_anything_is_made(
    artifact: Path, tmp_path: Path, name: str, problem: str
) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(InputError, match=problem):
        export_to_triton(artifact, tmp_path, name=name)
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_other_labels_than_the_artifacts_leave_nothing(
    artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def other_weights(recipe: Recipe, own: None) -> Any:
        model, weights = make_model(recipe, own)
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, generator=torch.Generator().manual_seed(5))
        return model, weights

    monkeypatch.setattr(triton_server, "make_model", other_weights)
    with pytest.raises(AgreementError, match=r"compiled anew it gives other labels: 0\."):
        export_to_triton(artifact, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_model_given_in_python_is_given_again(tmp_path: Path) -> None:
    model = own(GridHead(Fine()))
    artifact = build(OWN_RECIPE, tmp_path / "own.pt", model=model)
    with pytest.raises(RecipeError, match=r"own\.pt: its model was given in Python"):
        export_to_triton(artifact, tmp_path / "models")
    assert not (tmp_path / "models").exists()
    made = export_to_triton(artifact, tmp_path / "models", model=model)
    assert made.labels == 1.0


def test_the_guide_runs(
    artifact: Path,
    image_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = (ROOT / "docs" / "guides" / "triton.md").read_text()
    (command,) = re.findall(r"^    mpm-deploy (.*)$", text, re.MULTILINE)
    (client,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    shutil.copy(artifact, "segmenter.pt2")
    shutil.copy(image_folder / "image_2.jpg", "street.jpg")
    assert run(*command.split()) == 0
    printed = capsys.readouterr()
    assert printed.out == "models/segmenter\n"
    assert "labels equal to the artifact's on 8 images: 100.0000%" in printed.err
    assert "no server has been tried" in printed.err

    server = StandIn(Exported(artifact, Path("models/segmenter")))
    monkeypatch.setattr("tritonclient.grpc.InferenceServerClient", lambda _: server)
    guide: dict[str, Any] = {}
    exec(compile(client.replace("(512, 512)", str(INPUT_SIZE)), "triton.md", "exec"), guide)
    with Runner(artifact, label_size="input") as runner:
        np.testing.assert_equal(guide["labels"], runner("street.jpg").labels)
