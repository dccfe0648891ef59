"""How an adapter best injects into merged tokens: what is compared, and what both ways share."""

import torch

from benchmarks.injection import HELD_OUT, WAYS, Demo, compare, error, look
from mpm_deploy.images.decode import decode

SCENE = next(iter(HELD_OUT)).image


def test_where_nothing_merged_both_ways_are_the_same() -> None:
    demo, image = Demo.read(), decode(SCENE)
    one, other = (look(demo.encoder_with((), 1.0, way), demo, image) for way in WAYS)
    assert one.kept == other.kept == 1024
    assert error(one.tokens, other.tokens) < 1e-5


def test_a_scene_has_a_row_for_each_way() -> None:
    rows = [*compare(Demo.read(), [decode(SCENE)], 1.0, (2, 5))]
    assert [row["way"] for row in rows] == list(WAYS)
    assert all(0 < row["token_error"] < 1 and row["tokens_kept"] < 1024 for row in rows)
    assert rows[0]["token_error"] != rows[1]["token_error"]
    assert {row["closer_in"] for row in rows} == {0, 1}


def test_the_encoder_has_the_demos_weights_and_injects() -> None:
    demo = Demo.read()
    encoder = demo.encoder_with((), 0.1, "every patch")
    assert torch.equal(encoder.blocks[11].fc2.weight, demo.encoder["blocks.11.fc2.weight"])
    assert (encoder.interactions[2].injector.gamma == 0.1).all()
