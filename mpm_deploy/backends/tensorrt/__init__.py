"""Compile models with TensorRT: their segments in one file, and engines made of them.

    segments/  0.onnx, 1.onnx, ..., weights         portable: what every engine is made of
    engines/   tensorrt_rtx-1.7.1.116-8.6-x86_64/   for one library, one version of it, one kind of
                   0.engine, 1.engine, ...          GPU, one kind of processor

`flavors` names the libraries, `engine_info` says which engines a file holds and which one a machine
takes, `engines` makes them, `steps` and `program` run them. **No engine of this package has run on
a GPU so far.**
"""

from mpm_deploy.backends.tensorrt.backend import TensorRt

__all__ = ["TensorRt"]
