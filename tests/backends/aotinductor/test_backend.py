"""What is told to the compiler; what it makes of it is tested on artifacts."""

import torch
from torch import Tensor, nn

from mpm_deploy.backends.aotinductor.backend import _hint_sizes


class Kept(nn.Module):
    """Has a size that depends on the data."""

    def forward(self, rows: Tensor) -> Tensor:
        return rows[rows[:, 0] > 0] * 2


def test_sizes_that_depend_on_the_data_get_a_hint() -> None:
    exported = torch.export.export(Kept(), (torch.ones(8, 3),))
    _hint_sizes(exported, 640)
    sizes = [node.meta["val"] for node in exported.graph.nodes if "val" in node.meta]
    symbols = [size for size in sizes if isinstance(size, torch.SymInt)]
    hints = symbols[0].node.shape_env.var_to_hint_override
    assert list(hints.values()) == [640]
