"""Lists what this package can do, family by family: each member's name and where it is.

A new member is a file of its own and one line here, or an entry point of another package and no
line at all. Nothing is imported before it is asked for, so that everybody may ask: a recipe which
options a method takes, a reader which backend opens a file.

    recipe, manifest, command line ──▶ REDUCTIONS["tome"] ──▶ models/reductions/tome.py
"""

from mpm_deploy.support.family import Family

REDUCTIONS = Family(
    "reductions",
    "merge method",
    {
        "mpm": "mpm_deploy.models.reductions.mpm:Mpm",
        "tome": "mpm_deploy.models.reductions.tome:Tome",
        "algm": "mpm_deploy.models.reductions.algm:Algm",
        "cts": "mpm_deploy.models.reductions.cts:Cts",
    },
)

ENCODERS = Family(
    "encoders",
    "encoder family",
    {
        "vit": "mpm_deploy.models.encoders.plain:PlainVit",
        "dinov2": "mpm_deploy.models.encoders.dinov2:Dinov2",
        "dinov3": "mpm_deploy.models.encoders.dinov3:Dinov3",
        "eva": "mpm_deploy.models.encoders.eva:EvaAdapter",
        "timm": "mpm_deploy.models.encoders.timm_vit:TimmVit",
    },
)

HEADS = Family(
    "heads",
    "head",
    {
        "mask_transformer": "mpm_deploy.models.heads.mask_transformer:MaskTransformerHead",
        "eomt": "mpm_deploy.models.heads.eomt:EomtHead",
        "mask2former": "mpm_deploy.models.heads.mask2former.head:Mask2FormerHead",
        "linear": "mpm_deploy.models.heads.linear:LinearHead",
    },
)

BACKENDS = Family(
    "backends",
    "backend",
    {
        "torchscript": "mpm_deploy.backends.torchscript.backend:TorchScript",
        "aotinductor": "mpm_deploy.backends.aotinductor.backend:AotInductor",
        "onnxruntime": "mpm_deploy.backends.onnxruntime.backend:OnnxRuntime",
        "tensorrt": "mpm_deploy.backends.tensorrt.backend:TensorRt",
    },
)

DATASETS = Family(
    "datasets",
    "data set",
    {
        "ade20k": "mpm_deploy.datasets.ade20k:Ade20k",
        "cityscapes": "mpm_deploy.datasets.cityscapes:Cityscapes",
        "pascal_context": "mpm_deploy.datasets.pascal_context:PascalContext",
        "pascal_context_59": "mpm_deploy.datasets.pascal_context:PascalContext59",
        "folder": "mpm_deploy.datasets.folder:Folder",
    },
)

IMAGE_FORMATS = Family(
    "image_formats",
    "image format",
    {
        "JPEG": "mpm_deploy.images.formats.jpeg",
        "PNG": "mpm_deploy.images.formats.png",
    },
)

# In the order in which they are asked whether a place is theirs; the last one takes any.
SOURCES = Family(
    "sources",
    "source",
    {
        "live": "mpm_deploy.run.sources.live:Live",
        "video": "mpm_deploy.run.sources.video:Video",
        "files": "mpm_deploy.run.sources.files:Files",
    },
)

COMMANDS = Family(
    "commands",
    "command",
    {
        name: f"mpm_deploy.cli.{name}"
        for name in (
            *("recipes", "models", "convert", "build", "engine", "inspect", "sign", "verify"),
            *("run", "serve", "export", "bench", "eval", "profile", "sweep", "advise"),
            *("visualize", "report", "doctor", "worker"),
        )
    },
)
