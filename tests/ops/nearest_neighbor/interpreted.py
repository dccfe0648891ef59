"""Triton kernels on the CPU, by its interpreter, in a process of their own.

Whether a kernel is compiled or interpreted is settled when it is imported.
"""

import functools
import multiprocessing
import os
import pickle
from concurrent.futures import ProcessPoolExecutor

import torch
from torch import Tensor


def nearest_neighbor(
    tokens: Tensor, offsets: Tensor, max_length: int, special_tokens: int = 0
) -> Tensor:
    """`mpm_deploy.ops.nearest_neighbor.triton.nearest_neighbor`, interpreted."""
    arguments = pickle.dumps((tokens, offsets, max_length, special_tokens))
    answer: Tensor = pickle.loads(_process().submit(_nearest_neighbor, arguments).result())
    return answer


@functools.cache
def _process() -> ProcessPoolExecutor:
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(1, mp_context=context, initializer=_prepare)


def _prepare() -> None:
    os.environ["TRITON_INTERPRET"] = "1"
    torch.set_num_threads(1)


def _nearest_neighbor(arguments: bytes) -> bytes:
    from mpm_deploy.ops.nearest_neighbor import triton as streaming

    tokens, *others = pickle.loads(arguments)
    tile = streaming.tile_for(tokens.dtype)
    streaming.tile_for = lambda dtype: tile
    streaming.wrap_triton = lambda kernel: kernel  # it takes compiled ones only
    # The interpreter would multiply the bits of bfloat16; in float32 its products are the same.
    return pickle.dumps(streaming.nearest_neighbor(tokens.float(), *others))
