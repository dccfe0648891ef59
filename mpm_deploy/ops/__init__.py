"""The four operations that know where an image ends, or a pixel begins.

Each lives in the file of its name: the plain version, which is the truth. Faster ones have the same
name and signature in a file that says how, and the plain one is their test::

    attention.attention         one fused call where all lengths are equal, else image by image
    by_head.attention           two products a head; what Inductor compiles for a CPU
    varlen.attention            PyTorch's flash kernels on packed rows, for a GPU
    nearest_neighbor            all similarities of an image, then the best of each row
    streaming.nearest_neighbor  the best so far, block by block of columns; for a GPU
    label_map.label_map         every class at every pixel; what Inductor compiles
    survivors.label_map         the few classes that can win; plain torch, for TorchScript
    native.label_map            likewise in C++, for a CPU; what the runners take where they have it

    window_label_map.window_label_map   windows averaged, class by class; plain torch, CPU and GPU
    native.window_label_map             likewise in C++, for a CPU

`dispatch` says which one a model gets, and `inner_products` is the product that attention and
similarity share.
"""

from mpm_deploy.ops.attention import attention
from mpm_deploy.ops.label_map import label_map
from mpm_deploy.ops.nearest_neighbor import nearest_neighbor

__all__ = ["attention", "label_map", "nearest_neighbor"]
