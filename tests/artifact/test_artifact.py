"""The artifact's format: strict reading, atomic writing, hosts that do not fit."""

import json
import zipfile
from dataclasses import replace

import pytest
import torch

from mpm_deploy.artifact import (
    Flops,
    StageFlops,
    WeightsOrigin,
    read_manifest,
    read_recipe,
    read_sample,
    write_artifact,
)
from mpm_deploy.artifact.archive import MANIFEST
from mpm_deploy.errors import ArtifactError
from mpm_deploy.models.reductions import Tome
from mpm_deploy.recipe import MergeRecipe, Recipe
from tests.support import toy

IMAGE = (
    torch.arange(3 * toy.HEIGHT * toy.WIDTH).remainder(251).byte().view(3, toy.HEIGHT, toy.WIDTH)
)
LABELS = torch.arange(toy.HEIGHT * toy.WIDTH).remainder(3).byte().view(toy.HEIGHT, toy.WIDTH)


SLIDE = {"fit": "slide", "stride": 8, "short_side": 40, "max_ratio": 4}


@pytest.fixture
def toy_artifact(tmp_path):
    payload, target = tmp_path / "payload.zip", tmp_path / "toy.pt"
    with zipfile.ZipFile(payload, "w") as file:
        file.writestr("toy/data.pkl", b"not really")
        file.writestr("toy/code/model.py", b"nor this")
    write_artifact(payload, target, toy.MANIFEST, IMAGE, LABELS)
    payload.unlink()
    return target


def rewritten(path, change):
    """Write the archive anew, each record passed through ``change(name, content)``."""
    with zipfile.ZipFile(path) as file:
        records = [(name, file.read(name)) for name in file.namelist()]
    with zipfile.ZipFile(path, "w") as file:
        for name, content in records:
            changed = change(name, content)
            if changed is not None:
                file.writestr(name, changed)
    return path


def with_manifest(path, change):
    """Write the archive anew with ``change`` done to the manifest's dict."""

    def edit(name, content):
        if not name.endswith(MANIFEST):
            return content
        data = json.loads(content)
        change(data)
        return json.dumps(data)

    return rewritten(path, edit)


def test_what_is_written_is_read(toy_artifact):
    manifest = read_manifest(toy_artifact)
    assert replace(manifest, payload_sha256=toy.MANIFEST.payload_sha256) == toy.MANIFEST
    image, labels = read_sample(toy_artifact, manifest)
    assert torch.equal(image, IMAGE) and torch.equal(labels, LABELS)


def test_nothing_but_the_artifact_is_left(toy_artifact):
    assert [path.name for path in toy_artifact.parent.iterdir()] == ["toy.pt"]


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_a_real_artifact_is_still_torchs(artifact):
    module = torch.jit.load(str(artifact))
    assert hasattr(module, "scores") and hasattr(module, "labels")


def test_every_cut_of_the_file_is_refused(toy_artifact):
    content = toy_artifact.read_bytes()
    for size in [0, 1, 10, *range(50, len(content), 97), len(content) - 1]:
        toy_artifact.write_bytes(content[:size])
        with pytest.raises(ArtifactError):
            read_manifest(toy_artifact)


def test_no_flipped_bit_goes_unnoticed(toy_artifact):
    """Every bit that matters: those of padding and of time stamps change nothing that is read."""
    content = toy_artifact.read_bytes()
    expected = read_manifest(toy_artifact)
    noticed = 0
    for position in range(0, len(content), 7):
        flipped = bytearray(content)
        flipped[position] ^= 1 << position % 8
        toy_artifact.write_bytes(flipped)
        try:
            assert read_manifest(toy_artifact) == expected
            assert torch.equal(read_sample(toy_artifact, expected)[0], IMAGE)
        except ArtifactError:
            noticed += 1
    assert noticed > 0.5 * len(content) / 7


@pytest.mark.parametrize("record", ["data.pkl", "code/model.py", "mpm/sample_labels.u8"])
def test_changed_added_and_missing_records_change_the_hash(toy_artifact, record):
    content = toy_artifact.read_bytes()
    for change in (
        lambda name, data: data + b"x" if name.endswith(record) else data,
        lambda name, data: None if name.endswith(record) else data,
    ):
        toy_artifact.write_bytes(content)
        with pytest.raises(ArtifactError, match="changed since it was built"):
            read_manifest(rewritten(toy_artifact, change))
    toy_artifact.write_bytes(content)
    with zipfile.ZipFile(toy_artifact, "a") as file:
        file.writestr("toy/more", b"")
    with pytest.raises(ArtifactError, match="changed since it was built"):
        read_manifest(toy_artifact)


def test_a_foreign_zip_is_no_artifact(tmp_path):
    path = tmp_path / "foreign.pt"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("foreign/data.pkl", b"")
    with pytest.raises(ArtifactError, match="not an artifact"):
        read_manifest(path)
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("other/data.pkl", b"")
    with pytest.raises(ArtifactError, match="not lie under one folder"):
        read_manifest(path)


@pytest.mark.parametrize("path", ["missing.pt", "."])
def test_what_is_no_file_cannot_be_opened(path, tmp_path):
    with pytest.raises(ArtifactError, match="cannot be opened"):
        read_manifest(tmp_path / path)


def test_a_newer_format_says_what_to_do(toy_artifact):
    with_manifest(toy_artifact, lambda data: data.update(format="mpm-artifact/3"))
    with pytest.raises(ArtifactError, match="expected format 'mpm-artifact/2'") as caught:
        read_manifest(toy_artifact)
    assert "update" in caught.value.hint


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda data: data.pop("merge"), "merge: missing"),
        (lambda data: data.update(more=1), "more: unknown key"),
        (lambda data: data["input"].update(height="512"), "input.height"),
        (lambda data: data["requires"]["versions"].update(torch=2), "requires.versions.torch"),
        (lambda data: data["outputs"][0].update(dtype="float16"), '"scores" in float32'),
        (lambda data: data["model"].update(special_tokens=2**64 - 1), "of 64 bits"),
        (lambda data: data["model"].update(special_tokens=-1), "counts from 0 up"),
        (lambda data: data["model"].update(patch_size=33), "model.patch_size"),
        (lambda data: data["model"]["palette"][0].__setitem__(0, 256), "model.palette"),
        (lambda data: data["merge"].update(blocks=[-1]), "merge.blocks: expected indices"),
        (lambda data: data["agreement"].update(clusters=[]), "agreement.clusters"),
        (lambda data: data["input"].update(mean=[10**400, 0, 0]), "input.mean|not JSON"),
        (lambda data: data["input"].update(height=2**31 - 1), "pixels at most"),
        (lambda data: data["outputs"][1].update(name="scores"), "outputs: expected names that"),
        (lambda data: data["outputs"][0].update(name="logits"), 'outputs: expected "scores" of'),
        (lambda data: data["outputs"][0].update(shape=[4, 2, 3]), 'outputs: expected "scores" of'),
        (lambda data: data["outputs"][0].update(kind="sure"), r"outputs\[0\].kind: unknown value"),
        (lambda data: data["outputs"][1].update(shape=[1, 7]), 'outputs: expected "merge_maps" of'),
        (lambda data: data["input"].update(fit="crop"), "input.fit"),
        (lambda data: data["input"].update(stride=8), "input.stride: expected none"),
        (lambda data: data["input"].update(fit="slide_evenly", max_ratio=4), "input.max_ratio"),
        (lambda data: data["input"].update(SLIDE | {"stride": 33}), "input.stride: expected 1 to"),
        (lambda data: data["input"].update(SLIDE | {"stride": 8.5}), "input.stride"),
        (lambda data: data["input"].update(SLIDE | {"short_side": None}), "input.short_side"),
        (lambda data: data["input"].update(SLIDE | {"max_ratio": 0.5}), "input.max_ratio"),
    ],
)
def test_a_manifest_of_another_structure_is_refused(toy_artifact, change, named):
    with pytest.raises(ArtifactError, match=named):
        read_manifest(with_manifest(toy_artifact, change))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"[" * 100_000, "nested too deep|not JSON"),
        (b"[" * 70 + b"]" * 70, "more than 64"),
        (b'{"a": 1, "a": 2}', "key 'a' is there twice"),
        (b"NaN", "NaN is no number"),
        (b"1e999", "too large"),
        (b'"\\ud800"', "surrogates"),
        ('"\u00e4"'.encode("utf-16"), "not JSON"),
    ],
)
def test_what_a_parser_would_take_is_refused(toy_artifact, text, problem):
    rewritten(toy_artifact, lambda name, data: text if name.endswith(MANIFEST) else data)
    with pytest.raises(ArtifactError, match=problem):
        read_manifest(toy_artifact)


def test_every_key_must_be_there_and_no_other(toy_artifact):
    content = toy_artifact.read_bytes()

    def tables(value, path=()):
        if isinstance(value, dict) and path[:1] != ("recipe",) and path[-1:] != ("versions",):
            yield path, value
            for key, inner in value.items():
                yield from tables(inner, (*path, key))

    for path, table in list(tables(json.loads(json.dumps(toy.MANIFEST.to_dict())))):
        for key in table:
            if path == ("input",) and table[key] is None:
                continue  # keys of windows

            def without(data, path=path, key=key):
                for step in path:
                    data = data[step]
                del data[key]

            toy_artifact.write_bytes(content)
            with pytest.raises(ArtifactError, match=r"missing|expected format"):
                read_manifest(with_manifest(toy_artifact, without))


def test_what_later_writers_may_say_is_read(toy_artifact):
    def later(data):
        data["requires"].update(backend="tensorrt", dtype="int8", details={"workspace_mib": 64})
        data["requires"]["versions"]["tensorrt"] = "10.3"
        data["merge"].update(place="input", options={"ratio": 0.5})
        data["merge"]["weights"] = {"origin": "policy.safetensors", "sha256": "ab"}
        data["outputs"][0]["shape"] = [3, 8, 12]  # a head that upsamples by 4
        data["outputs"].insert(0, {"name": "masks", "dtype": "float16", "shape": [100]})

    manifest = read_manifest(with_manifest(toy_artifact, later))
    assert manifest.output_index("merge_maps") == 2
    assert manifest.merge.weights == WeightsOrigin("policy.safetensors", "ab")


def test_a_signature_is_let_pass_and_is_no_part_of_the_hash(toy_artifact):
    manifest = read_manifest(toy_artifact)
    with zipfile.ZipFile(toy_artifact, "a") as file:
        file.writestr("toy/extra/mpm_signature.json", b"{}")
    assert read_manifest(toy_artifact) == manifest


def test_of_format_1_the_recipe_is_left(toy_artifact):
    recipe = {
        "name": "cpu_fp32",
        "model": {"name": None, "weights": "demo"},
        "merge": {"method": "none", "before_blocks": [], "ratio": None, "r": None}
        | {"threshold": None, "proportional_attention": False},
        "backend": {"name": "aotinductor", "libtorch": None, "cuda_capability": None},
    }
    change = {"format": "mpm-artifact/1", "recipe": recipe}
    with_manifest(toy_artifact, lambda data: (data.clear(), data.update(change)))
    with pytest.raises(ArtifactError, match="format 'mpm-artifact/1', which is not run") as caught:
        read_manifest(toy_artifact)
    assert f"mpm-deploy build --recipe {toy_artifact} -o NEW_FILE" in caught.value.hint
    assert Recipe.from_dict(read_recipe(toy_artifact)).merge == MergeRecipe(blocks=())
    recipe["merge"] |= {"method": "tome", "before_blocks": [2, 5], "ratio": 0.2}
    with_manifest(toy_artifact, lambda data: data.update(change))
    expected = MergeRecipe("tome", (2, 5), member=Tome(0.2, proportional_attention=False))
    assert Recipe.from_dict(read_recipe(toy_artifact)).merge == expected


def test_the_keys_of_windows_may_be_missing(toy_artifact):
    def without(data):
        for key in ("stride", "short_side", "max_ratio"):
            del data["input"][key]

    assert read_manifest(with_manifest(toy_artifact, without)).input == toy.MANIFEST.input
    with_manifest(toy_artifact, lambda data: data["input"].update(SLIDE))
    told = read_manifest(toy_artifact).input
    assert (told.fit, told.stride, told.short_side, told.max_ratio) == ("slide", 8, 40, 4.0)


def test_the_kind_of_the_scores_may_be_missing(toy_artifact):
    def without(data):
        for output in data["outputs"]:
            del output["kind"]

    assert read_manifest(with_manifest(toy_artifact, without)).score_kind == "logits"
    with_manifest(toy_artifact, lambda data: data["outputs"][0].update(kind="probabilities"))
    assert read_manifest(toy_artifact).score_kind == "probabilities"


def test_patches_reach_beyond_an_input_that_is_not_whole_ones(toy_artifact):
    def smaller(data):
        data["model"]["patch_size"] = 14  # of 32 × 48 pixels
        data["outputs"][1]["shape"] = [1, 12]

    manifest = read_manifest(with_manifest(toy_artifact, smaller))
    assert (manifest.grid, manifest.patches) == ((3, 4), 12)


def test_a_manifest_that_is_no_json_is_refused(toy_artifact):
    rewritten(toy_artifact, lambda name, data: b"{" if name.endswith(MANIFEST) else data)
    with pytest.raises(ArtifactError, match="not JSON"):
        read_manifest(toy_artifact)


def test_flops_are_a_polynomial_of_the_tokens_kept():
    flops = Flops(5.0, (StageFlops(2.0, 1.0), StageFlops(3.0, 0.5)))
    assert flops.total((4, 2)) == 5 + (2 * 4 + 16) + (3 * 2 + 0.5 * 4)
