"""An artifact is one file that holds a compiled model and says what it is.

    segmenter.pt | .pt2 | ...zip          a zip, of which all lies under one top folder
    └── <root>/
        ├── ...                           the payload: what torch wrote, or segments and engines
        ├── mpm/sample_image.u8           (3, H, W): an input to try it on
        ├── mpm/sample_labels.u8          (H, W): what it answered when it was built
        ├── extra/mpm_signature.json      who vouches for it, if anybody does
        └── extra/mpm_manifest.json       its `Manifest`, with a hash over all the rest

`manifest` says what it is, `archive` reads and writes the file, `trust` says who has signed it,
`host` whether it fits this machine. The format is written down in `docs/formats/artifact.md`.
Nothing here loads the payload.
"""

from mpm_deploy.artifact.archive import (
    check_payload,
    copy_checked,
    read_checked,
    read_claimed_key,
    read_claimed_manifest,
    read_manifest,
    read_recipe,
    read_sample,
    read_signer,
    sign_artifact,
    unpack_checked,
    write_artifact,
)
from mpm_deploy.artifact.manifest import (
    FORMAT,
    Agreement,
    BatchRange,
    CreatedBy,
    Flops,
    InputInfo,
    Manifest,
    MergeInfo,
    ModelInfo,
    OutputInfo,
    Requires,
    ScoreKind,
    StageFlops,
    WeightsOrigin,
)
from mpm_deploy.artifact.trust import Signer, asked_trust

__all__ = [
    "FORMAT",
    "Agreement",
    "BatchRange",
    "CreatedBy",
    "Flops",
    "InputInfo",
    "Manifest",
    "MergeInfo",
    "ModelInfo",
    "OutputInfo",
    "Requires",
    "ScoreKind",
    "Signer",
    "StageFlops",
    "WeightsOrigin",
    "asked_trust",
    "check_payload",
    "copy_checked",
    "read_checked",
    "read_claimed_key",
    "read_claimed_manifest",
    "read_manifest",
    "read_recipe",
    "read_sample",
    "read_signer",
    "sign_artifact",
    "unpack_checked",
    "write_artifact",
]
