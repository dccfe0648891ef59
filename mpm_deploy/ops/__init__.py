"""The three operations that know where an image ends, or a pixel begins.

Each lives in the file of its name, the plain version first: it is the truth, and the test of any
faster version beside it, which has the same name, signature and checks.
"""

from mpm_deploy.ops.attention import attention
from mpm_deploy.ops.label_map import label_map
from mpm_deploy.ops.nearest_neighbor import nearest_neighbor

__all__ = ["attention", "label_map", "nearest_neighbor"]
