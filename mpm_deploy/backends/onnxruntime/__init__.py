"""Compile models with ONNX: their segments in one file, which ONNX Runtime computes one by one."""

from mpm_deploy.backends.onnxruntime.backend import OnnxRuntime

__all__ = ["OnnxRuntime"]
