"""Reads ADE20K with 150 classes, as the scene parsing challenge of 2016 hands it out.

    ADEChallengeData2016/                          the root
    ├── images/validation/ADE_val_00000001.jpg
    └── annotations/validation/ADE_val_00000001.png

In the label maps 0 is "other": it does not count, and the classes begin at 1.
"""

from collections.abc import Iterable, Sequence

from mpm_deploy.measure.accuracy.datasets.base import Dataset, Sample, files_in
from mpm_deploy.measure.accuracy.datasets.label_files import IGNORED

_CLASSES = """
wall, building, sky, floor, tree, ceiling, road, bed, windowpane, grass, cabinet, sidewalk, person,
earth, door, table, mountain, plant, curtain, chair, car, water, painting, sofa, shelf, house, sea,
mirror, rug, field, armchair, seat, fence, desk, rock, wardrobe, lamp, bathtub, railing, cushion,
base, box, column, signboard, chest of drawers, counter, sand, sink, skyscraper, fireplace,
refrigerator, grandstand, path, stairs, runway, case, pool table, pillow, screen door, stairway,
river, bridge, bookcase, blind, coffee table, toilet, flower, book, hill, bench, countertop, stove,
palm, kitchen island, computer, swivel chair, boat, bar, arcade machine, hovel, bus, towel, light,
truck, tower, chandelier, awning, streetlight, booth, television receiver, airplane, dirt track,
apparel, pole, land, bannister, escalator, ottoman, bottle, buffet, poster, stage, van, ship,
fountain, conveyer belt, canopy, washer, plaything, swimming pool, stool, barrel, basket, waterfall,
tent, bag, minibike, cradle, oven, ball, food, step, tank, trade name, microwave, pot, animal,
bicycle, lake, dishwasher, screen, blanket, sculpture, hood, sconce, vase, traffic light, tray,
ashcan, fan, pier, crt screen, plate, monitor, bulletin board, shower, radiator, glass, clock, flag
"""


class Ade20k(Dataset):
    """ADE20K: the 2000 images of the validation split."""

    name = "ade20k"
    layout = ("images/validation", "annotations/validation")
    images = "images/validation/*.jpg"
    classes = tuple(_CLASSES.replace("\n", " ").strip().split(", "))

    def _find(self) -> Iterable[Sample]:
        folder = self.root / "annotations" / "validation"
        for image in files_in(self.root, self.images):
            yield Sample(image.stem, image, folder / f"{image.stem}.png")

    def _meanings(self, sample: Sample) -> Sequence[int]:
        return (IGNORED, *range(len(self.classes)))
