"""Every backend gives what the eager model gives, for any batch and any size of label map."""

import zipfile
from dataclasses import replace

import pytest
import torch

from mpm_deploy.artifact import read_manifest
from mpm_deploy.backends import BACKENDS, get_backend, open_artifact
from mpm_deploy.builder.build import build
from mpm_deploy.builder.model import make_model
from mpm_deploy.builder.verify import same_cluster, verification_images
from mpm_deploy.errors import ArtifactError, BuildError, HostError, InputError
from mpm_deploy.ops.label_map import native
from mpm_deploy.ops.label_map.reference import label_map
from mpm_deploy.recipe import load_recipe
from mpm_deploy.run.runner import Runner
from tests.conftest import INPUT_SIZE, small_recipe
from tests.ops.label_map.test_native import require_native
from tests.parity.conftest import with_manifest
from tests.support.toy import MANIFEST, ToyProgram


@pytest.mark.parametrize(
    ("device", "dtype", "rounds"),
    [("cuda", "float32", False), ("cuda", "bfloat16", True), ("cpu", "float32", True)],
)
def test_float32_on_a_gpu_is_not_rounded_to_tf32_by_convolutions(
    device: str, dtype: str, rounds: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    ToyProgram(replace(MANIFEST, requires=replace(MANIFEST.requires, dtype=dtype)), device)
    assert torch.backends.cudnn.allow_tf32 == rounds


@pytest.fixture(scope="module")
def program(recipe_and_artifact):
    return open_artifact(recipe_and_artifact[1])[1]


@pytest.fixture(scope="module")
def images():
    return verification_images(5, INPUT_SIZE, seed=1)


def test_backends_are_found_by_their_names():
    for name in BACKENDS:
        assert get_backend(name).name == name
    with pytest.raises(HostError, match=r"it\.pt9: built for backend 'toy', and this"):
        get_backend("toy", "it.pt9")


def test_scores_are_the_eager_models(recipe_and_artifact, program, images):
    if recipe_and_artifact[0].backend.dtype != "float32":
        pytest.skip("narrower types are held to agreement, by the build")
    model, _ = make_model(recipe_and_artifact[0])
    with torch.inference_mode():
        expected, expected_maps = model(images)
    scores, merge_maps = program.scores(images)
    assert scores.shape == expected.shape and scores.is_contiguous()
    assert merge_maps.dtype == torch.int32
    for image in range(len(images)):
        assert same_cluster(merge_maps[image], expected_maps[image]).all()
    torch.testing.assert_close(scores, expected, atol=1e-4, rtol=0)


def test_an_image_does_not_depend_on_its_batch(program, images):
    scores, merge_maps = program.scores(images)
    for index, image in enumerate(images.split(1)):
        alone, alone_maps = program.scores(image)
        assert torch.equal(alone_maps[0], merge_maps[index])
        torch.testing.assert_close(alone[0], scores[index], atol=1e-5, rtol=0)


@pytest.mark.parametrize("by", ["artifact", "native library"])
@pytest.mark.parametrize("size", [INPUT_SIZE, (37, 701), (700, 20), (4, 6), (1, 9), (1, 1)])
def test_labels_are_the_plain_versions_at_any_size(program, images, size, by, monkeypatch):
    if by == "artifact":
        monkeypatch.setattr(native, "available", lambda: False)
    else:
        require_native()
    scores, _ = program.scores(images)
    tied = scores.mul(2).round()
    for some in (scores, tied):
        labels = program.labels(some, size)
        assert labels.shape == (5, *size) and labels.dtype == torch.uint8
        assert torch.equal(labels, label_map(some, size))  # to the bit, ties included


def test_an_artifact_for_a_device_that_is_not_known_does_not_fit_the_host(artifact, tmp_path):
    path = tmp_path / "other.pt"
    for change, problem in (
        ({"device": "xpu"}, "other.pt: built for device 'xpu', and this program runs on"),
        ({"backend": "abacus"}, "other.pt: built for backend 'abacus', and this program has"),
        ({"details": {"space": 1}}, "other.pt: needs space, which backend 'torchscript' does not"),
    ):
        with_manifest(artifact, path, lambda data, change=change: data["requires"].update(change))
        with pytest.raises(HostError) as caught:
            open_artifact(path)
        assert problem in caught.value.problem


def test_other_images_are_refused(program, images):
    for wrong in (images[0], images.float(), images[:, :2], images[..., 1:], images[:0]):
        with pytest.raises(InputError, match="images: expected"):
            program.scores(wrong)


def test_images_side_by_side_are_those_alone(recipe_and_artifact, program, images):
    alone = [program.scores(image) for image in images.split(1)]  # one thread, as side by side
    with Runner(recipe_and_artifact[1], threads=3) as runner:
        for count in (2, 3, 5):
            loaded = [runner.load(image) for image in images[:count]]
            for result, (scores, merge_maps) in zip(runner.infer(loaded), alone, strict=False):
                labels = program.labels(scores, INPUT_SIZE)[0].numpy()
                assert (result.labels == labels).all()
                assert (result.merge_maps == merge_maps[0].numpy()).all()


def test_the_manifest_says_how_many_images_a_call_takes(recipe_and_artifact):
    manifest = read_manifest(recipe_and_artifact[1])
    assert manifest.batch.max == recipe_and_artifact[0].backend.max_batch
    by_machine = manifest.requires.backend == "aotinductor"
    assert (manifest.requires.machine is not None) == by_machine


def test_a_class_count_past_a_byte_gives_wider_labels(tmp_path):
    recipe = small_recipe().override("model.classes=300", "model.name=seg_t16_linear")
    _, program = open_artifact(build(recipe, tmp_path / "it.pt"))
    scores = torch.randn(1, 300, 4, 6)
    assert program.labels(scores, (8, 12)).dtype == torch.int16


def test_a_payload_that_torch_cannot_load_is_an_artifact_error(artifact, tmp_path):
    foreign = tmp_path / "foreign.pt"
    with zipfile.ZipFile(foreign, "w") as file:
        file.writestr("root/data", b"no payload")
    manifest = replace(read_manifest(artifact), payload_sha256="")
    for backend in map(get_backend, BACKENDS):
        with pytest.raises(ArtifactError, match="cannot load it"):
            backend.load(foreign, manifest, torch.device("cpu"))


def test_no_compiler_is_a_build_error_with_the_cure(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(BuildError, match=r"C\+\+ compiler") as caught:
        get_backend("aotinductor").check(load_recipe("cpu_fp32"))
    assert "apt-get install" in caught.value.hint


@pytest.mark.parametrize(
    ("recipe", "problem"),
    [
        ("cpu_bf16", r"bfloat16 instructions.*avx512_bf16.*slower than float32"),
        ("cpu_int8", r"int8 instructions.*avx512_vnni.*slower than float32"),
    ],
)
def test_a_narrow_recipe_is_refused_where_the_cpu_has_none_of_it(monkeypatch, recipe, problem):
    flags = frozenset({"avx2", "avx512f", "asimd"})
    monkeypatch.setattr("mpm_deploy.backends.aotinductor.backend.host_cpu_isa", lambda: flags)
    with pytest.raises(BuildError, match=problem) as caught:
        get_backend("aotinductor").check(load_recipe(recipe))
    assert "cpu_fp32" in caught.value.hint


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
@pytest.mark.parametrize("name", ["torchscript", "aotinductor"])
def test_a_gpu_recipe_without_a_gpu_is_a_build_error(name):
    recipe = load_recipe("cpu_portable_fp32").override(
        "backend.device=cuda", f"backend.name={name}"
    )
    with pytest.raises(BuildError, match="CUDA device"):
        get_backend(name).check(recipe)
