"""Linear layers of blocks in int8: against products written out, and which layers they are."""

import pytest
import torch
from torch import Tensor, nn

from mpm_deploy.builder.verify import verification_images
from mpm_deploy.models import create
from mpm_deploy.models.quantized import ByteFunction, Bytes, Int8Linear, quantize
from mpm_deploy.models.segmenter import Segmenter
from mpm_deploy.support.processor import INT8_ISA, host_cpu_isa

# Without instructions for bytes oneDNN takes others, whose sums of two saturate.
pytestmark = pytest.mark.skipif(
    INT8_ISA.isdisjoint(host_cpu_isa()), reason="this CPU has no int8 instructions"
)

SIZE = (64, 96)


def tiny() -> Segmenter:
    return create("seg_t16_mask", classes=3, image_size=SIZE)


def images() -> list[Tensor]:
    return list(verification_images(2, SIZE).split(1))


@pytest.fixture(scope="module")
def linear() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(48, 80).requires_grad_(False)


def written_out(layer: Int8Linear, linear: nn.Linear, rows: Tensor) -> Tensor:
    """The product of what the bytes stand for, in float64."""
    steps = (rows.float() / layer.inputs.scale).round() + layer.inputs.zero_point
    inputs = (steps.clamp(0, 255) - layer.inputs.zero_point).double() * layer.inputs.scale
    scales = linear.weight.abs().amax(dim=1, keepdim=True).double() / 127
    weight = (linear.weight / scales).round().double() * scales
    return inputs @ weight.t() + linear.bias.double()


@pytest.mark.parametrize("limits", [(-3.0, 4.0), (0.0, 2.0), (-1.0, 0.0), (0.0, 0.0)])
def test_the_product_is_that_of_what_bytes_stand_for(
    linear: nn.Linear, limits: tuple[float, float]
) -> None:
    layer = Int8Linear(linear, Bytes.between(*limits), torch.float32)
    rows = torch.randn(33, 48, generator=torch.Generator().manual_seed(1)) * 2  # some are clipped
    # The sums are whole numbers; float32 rounds what they are multiplied by and added to.
    torch.testing.assert_close(
        layer(rows).double(), written_out(layer, linear, rows), atol=2e-5, rtol=0
    )


def test_it_gives_what_it_is_told_to(linear: nn.Linear) -> None:
    layer = Int8Linear(linear, Bytes.between(-4.0, 4.0), torch.bfloat16)
    rows = torch.randn(7, 48, generator=torch.Generator().manual_seed(1)).bfloat16()
    got = layer(rows)
    assert got.dtype == torch.bfloat16
    expected = written_out(layer, linear, rows)
    torch.testing.assert_close(got.double(), expected, atol=1e-3, rtol=2.0**-8)


def test_bytes_go_in_and_come_out_as_the_numbers_that_they_stand_for(linear: nn.Linear) -> None:
    inputs, outputs = Bytes.between(-4.0, 4.0), Bytes.between(-1.0, 2.0)  # some are clipped
    rows = torch.randn(9, 48, generator=torch.Generator().manual_seed(1))
    numbers = Int8Linear(linear, inputs, torch.float32)(rows)

    got = Int8Linear(linear, inputs, outputs)(inputs.of(rows))

    assert got.dtype == torch.uint8
    assert (got.int() - outputs.of(numbers).int()).abs().max() <= 1  # a sum that lies half-way


@pytest.mark.parametrize(("lowest", "highest"), [(-3.0, 5.0), (1.0, 2.0), (-2.0, -1.0)])
def test_bytes_stand_for_zero_exactly_and_for_their_range(lowest: float, highest: float) -> None:
    values = Bytes.between(lowest, highest).all_values()
    assert 0.0 in values.tolist()
    step = values[1] - values[0]
    assert abs(values[0] - min(lowest, 0)) <= step
    assert abs(values[-1] - max(highest, 0)) <= step


def test_a_function_of_bytes_is_that_of_what_they_stand_for() -> None:
    inputs, outputs = Bytes.between(-4.0, 6.0), Bytes.between(-0.2, 6.0)
    values = torch.arange(256, dtype=torch.uint8).reshape(2, 128)
    expected = outputs.of(nn.functional.gelu(inputs.all_values())).reshape(2, 128)
    assert torch.equal(ByteFunction(nn.GELU(), inputs, outputs)(values), expected)


def test_layers_of_blocks_are_quantized_and_no_other() -> None:
    model = quantize(tiny(), images(), torch.bfloat16)
    quantized = {name for name, part in model.named_modules() if isinstance(part, Int8Linear)}
    blocks = [f"encoder.blocks.{index}" for index in range(12)]
    blocks += [f"decoder.blocks.{index}" for index in range(2)]
    layers = ("qkv", "proj", "fc1", "fc2")
    assert quantized == {f"{block}.{layer}" for block in blocks for layer in layers}
    tables = {name for name, part in model.named_modules() if isinstance(part, ByteFunction)}
    assert tables == {f"{block}.activation" for block in blocks}
    assert model.encoder.position.dtype == torch.bfloat16
    assert model.encoder.blocks[0].qkv.bias.dtype == torch.float32


def test_parameters_and_scores_stay_near_those_in_float32() -> None:
    model = tiny()
    plain, _ = model(images()[0])
    count = sum(parameter.numel() for parameter in model.parameters())
    quantized = quantize(model, images(), torch.float32)
    scores, _ = quantized(images()[0])
    assert sum(parameter.numel() for parameter in quantized.parameters()) == count
    # Scores are normalized over classes; a step of a byte is a 255th of what a layer is given.
    assert (scores - plain).abs().mean() < 0.1


def test_nothing_is_left_on_a_model_that_was_measured() -> None:
    model = quantize(tiny(), images(), torch.float32)
    assert not any(part._forward_pre_hooks for part in model.modules())
