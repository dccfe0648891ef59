"""On a GPU with TensorRT, engines are made and give what the same segments give on a CPU."""

from pathlib import Path

import pytest
import torch

from mpm_deploy import Runner
from mpm_deploy.artifact import read_manifest
from mpm_deploy.backends import open_artifact
from mpm_deploy.backends.tensorrt.engine_info import choose, engines_of, look_here
from mpm_deploy.backends.tensorrt.flavors import FLAVORS, installed_versions
from mpm_deploy.builder.engine import add_engine
from mpm_deploy.builder.verify import same_cluster
from mpm_deploy.ops.label_map.reference import label_map
from tests.conftest import INPUT_SIZE

pytestmark = pytest.mark.cuda


@pytest.fixture(scope="module", params=FLAVORS)
def made_here(
    request: pytest.FixtureRequest, file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The artifact with an engine for this machine's GPU, which its maker has tried."""
    if request.param not in installed_versions():
        pytest.skip(f"{FLAVORS[request.param].title} is not installed")
    path = tmp_path_factory.mktemp(request.param) / "here.tensorrt.zip"
    made = add_engine(file, path, flavor=request.param)
    assert made.agreement is not None and made.agreement > 0.9
    return path


def test_engines_give_what_segments_give_on_a_cpu(made_here: Path, images: torch.Tensor) -> None:
    _, on_cpu = open_artifact(made_here, "cpu")
    _, on_gpu = open_artifact(made_here)
    for image in images.split(1):
        scores, merge_maps = on_gpu.scores(image.cuda())
        expected, expected_maps = on_cpu.scores(image)
        # Near ties of float16 decide otherwise, as in the recipe's [verify].
        assert same_cluster(merge_maps[0].cpu(), expected_maps[0]).double().mean() > 0.9
        labels = label_map(scores.cpu(), INPUT_SIZE) == label_map(expected, INPUT_SIZE)
        assert labels.double().mean() > 0.9


def test_a_runner_takes_the_engine_of_this_gpu(made_here: Path, image_folder: Path) -> None:
    engines = engines_of(read_manifest(made_here), made_here)
    assert choose(engines, look_here(torch.device("cuda:0")), made_here) == engines[-1]
    with Runner(made_here) as runner:
        results = list(runner.run(image_folder, batch_size=3))
        assert len(results) == 5 and all(result.ok for result in results)


def test_streams_and_threads_do_not_mix_up_images(made_here: Path, images: torch.Tensor) -> None:
    _, program = open_artifact(made_here)
    on_gpu = images.cuda()
    alone = [program.scores(image)[0].cpu() for image in on_gpu.split(1)]
    streams = [torch.cuda.Stream() for _ in alone]
    torch.cuda.synchronize()
    for _ in range(10):
        outputs = []
        for image, stream in zip(on_gpu.split(1), streams, strict=True):
            with torch.cuda.stream(stream):
                outputs.append(program.scores(image)[0])
        torch.cuda.synchronize()
        for output, expected in zip(outputs, alone, strict=True):
            torch.testing.assert_close(output.cpu(), expected, atol=1e-3, rtol=0)
