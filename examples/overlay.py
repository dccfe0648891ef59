"""Lays the labels of each image over it: ``overlay.py ARTIFACT IMAGES -o OVERLAYS``."""

import argparse
from pathlib import Path

from PIL import Image

from mpm_deploy import Runner
from mpm_deploy.images.decode import decode, find_images
from mpm_deploy.run.label_maps import label_map_names
from mpm_deploy.show.drawing import overlay


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("artifact", type=Path)
    parser.add_argument("images", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    images = find_images(arguments.images)
    with Runner(arguments.artifact) as runner:
        palette = runner.manifest.model.palette
        names = label_map_names(images)
        for path, name, result in zip(images, names, runner.run(images), strict=True):
            if result.ok:  # an image that cannot be decoded has a path and a reason instead
                pixels = decode(path).permute(1, 2, 0).numpy()  # (height, width, 3)
                picture = Image.fromarray(overlay(pixels, result.labels, palette))
                picture.save(arguments.output / name)


if __name__ == "__main__":
    main()
