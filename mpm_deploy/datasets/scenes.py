"""The held-out street scenes, which the demo model is measured on."""

from mpm_deploy.datasets.folder import PairedFolders


class Scenes(PairedFolders):
    """`PairedFolders` of the demo's classes, as ``examples/scenes`` holds them."""

    name = "scenes"
    classes = (
        *("sky", "building", "tree", "grass", "road", "sidewalk"),
        *("fence", "car", "bus", "person", "pole", "sign"),
    )
