"""Defines the classes of the street scenes, and the code plane that carries class and
texture together.
"""

from typing import Final

SIZE: Final = 512  # height and width of a scene, pixels

PALETTE_BY_CLASS: Final[dict[str, tuple[int, int, int]]] = {
    "sky": (112, 172, 232),
    "building": (150, 104, 92),
    "tree": (44, 122, 60),
    "grass": (152, 206, 92),
    "road": (92, 88, 104),
    "sidewalk": (214, 150, 196),
    "fence": (196, 164, 112),
    "car": (34, 62, 190),
    "bus": (12, 164, 172),
    "person": (224, 40, 62),
    "pole": (242, 236, 222),
    "sign": (250, 196, 24),
}
CLASSES: Final[tuple[str, ...]] = tuple(PALETTE_BY_CLASS)
PALETTE: Final[tuple[tuple[int, int, int], ...]] = tuple(PALETTE_BY_CLASS.values())

SKY, BUILDING, TREE, GRASS, ROAD, SIDEWALK, FENCE, CAR, BUS, PERSON, POLE, SIGN = range(12)

# Textures: the high four bits of a pixel's code; the class is in the low four.
SMOOTH, PLASTER, BRICK, LEAF, LAWN, ASPHALT, PAVING, CLOTH, WOOD = range(9)


def code(label: int, texture: int = SMOOTH) -> int:
    """Returns the value of the code plane for a pixel of class `label` with surface `texture`."""
    return texture << 4 | label
