"""Linear layers of merged tokens are oneDNN's, in every torch that builds files."""

import zipfile
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from mpm_deploy.backends.aotinductor.onednn import packing_weights
from tests.conftest import built_once, small_recipe

pytestmark = pytest.mark.skipif(
    not torch.backends.mkldnn.is_available(), reason="a torch without oneDNN"
)


class Kept(nn.Module):
    """Has a number of rows that depends on the data."""

    def forward(self, rows: Tensor) -> Tensor:
        return rows[rows[:, 0] > 0]


@pytest.mark.filterwarnings("ignore")  # Inductor's own
def test_weights_are_packed_for_a_typical_number_of_rows_where_it_is_not_known() -> None:
    from torch._inductor.fx_passes.mkldnn_fusion import CpuMkldnnDeviceOp

    exported = torch.export.export(Kept(), (torch.ones(8, 3),))
    (output,) = (node for node in exported.graph.nodes if node.op == "output")
    kept = output.args[0][0].meta["val"].shape[0]
    weight = torch.fx.Graph().placeholder("weight")
    with packing_weights(640):
        for rows, expected in ((kept, 640), (1024, 1024)):
            packed = CpuMkldnnDeviceOp().pack_linear_weight(weight.graph, True, weight, rows)
            assert packed.args == (weight, expected)


def test_a_file_multiplies_by_packed_weights_alone(shared_folder: Path) -> None:
    path = built_once(small_recipe("cpu_fp32"), shared_folder / "cpu_fp32.pt2")
    with zipfile.ZipFile(path) as package:
        code = [package.read(name) for name in package.namelist() if name.endswith("wrapper.cpp")]
    assert any(b"cpu__linear_pointwise(" in each for each in code)
    assert not any(b"cpu_addmm_out(" in each or b"cpu_mm_out(" in each for each in code)
