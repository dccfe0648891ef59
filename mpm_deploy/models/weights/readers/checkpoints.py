"""Read checkpoints that torch wrote, and tell by their tensors whose they are.

checkpoint.pth      a Segmenter, with ``variant.yml`` beside it
pytorch_model.bin   an EoMT as its authors write it, or Lightning's ``.ckpt``
eva_sem_seg_*.pth   an EVA-01 with ViT-Adapter and Mask2Former's head
dinov2_*.pth        a head or a backbone of DINOv2

What wrappers put in front of every name is dropped.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from torch import Tensor

from mpm_deploy.errors import ModelError
from mpm_deploy.models.weights.checks import unwrapped
from mpm_deploy.models.weights.info import WeightsInfo
from mpm_deploy.models.weights.readers import dinov2, eomt, eva, segmenter
from mpm_deploy.models.weights.readers.pickles import PLACES, load, state_dicts
from mpm_deploy.support.quoting import shown

Read = tuple[dict[str, Tensor], WeightsInfo]

_SEGMENTER_PAGE = "https://github.com/rstrudel/segmenter"
# By the name of a tensor that each has, and none before it.
_READERS: dict[str, Callable[[Path, dict[str, Tensor]], Read]] = {
    segmenter.KNOWN: segmenter.read_segmenter,
    eomt.KNOWN: eomt.read_eomt,
    eomt.KNOWN_OF_DIFFERENCES: eomt.refuse_differences,
    eva.KNOWN: eva.read_eva,
    eva.KNOWN_OF_HEAD: eva.read_eva,  # before DINOv2's heads, whose tensor is in this one too
    dinov2.KNOWN_OF_HEAD: dinov2.read_head,
    dinov2.KNOWN: dinov2.read_backbone,
}


def read_checkpoint(path: Path) -> Read:
    """Read a checkpoint of a network that is known.

    Args:
        path: The file; what belongs to it lies beside it.

    Returns:
        The weights in float32 under this package's names, and what they are for.

    Raises:
        HostError: This machine is short of memory.
        ModelError: A file that is missing, foreign, damaged or would run code; a network that is
            not in the zoo; keys or shapes other than that network has; values that are not finite.
        MissingPackageError: PyYAML is not installed, for a Segmenter.
    """
    checkpoint = load(path)
    found = list(state_dicts(checkpoint))
    for known, read in _READERS.items():
        for tensors in found:
            network = unwrapped(tensors, known)
            if known in network:
                return read(path, network)
    raise ModelError(
        f"{path}: expected a dict with a network's tensors, as {segmenter.KNOWN!r} of a Segmenter, "
        f"{eomt.KNOWN!r} of an EoMT, {eva.KNOWN!r} of an EVA-01 or {dinov2.KNOWN_OF_HEAD!r} of a "
        f"DINOv2 head, under {' or '.join(map(repr, PLACES[:2]))} or alone, got "
        f"{_described(found[0] if found else checkpoint)}",
        f"take what {_SEGMENTER_PAGE} writes, or where it was trained torch.save({{'model': "
        "model.state_dict()}, 'checkpoint.pth'); MMSegmentation builds other layers, models of "
        "transformers come as the folder that save_pretrained writes, and timm's encoders as "
        "timm:NAME",
    )


def _described(checkpoint: object) -> str:
    if not isinstance(checkpoint, Mapping):
        return f"a {type(checkpoint).__name__}"
    keys = ", ".join(map(shown, list(checkpoint)[:5]))
    return f"one with {keys or 'nothing in it'}" + (" and more" if len(checkpoint) > 5 else "")
