"""Turns a Vega-Lite specification into SVG, and that into a file of its own or into pixels."""

import re
from typing import Any
from xml.etree import ElementTree as ET

from mpm_deploy.errors import MissingPackageError
from mpm_deploy.show.charts.theme import Scheme, color

_MARGIN = 12  # around a chart that is a file of its own
_NAMESPACE = "http://www.w3.org/2000/svg"


def draw(specification: dict[str, Any], name: str) -> str:
    """Draw an ``<svg>`` element to stand in a page.

    Args:
        specification: A Vega-Lite specification; a mark's ``description`` shows on hovering.
        name: What the chart shows, for those who cannot see it.

    Raises:
        MissingPackageError: vl-convert is not installed.
    """
    drawn: str = _vl_convert().vegalite_to_svg(specification)
    root = ET.fromstring(drawn.replace(f' xmlns="{_NAMESPACE}"', ""))
    for element in list(root.iter()):
        for child in list(element):
            if child.get("class") in ("background", "foreground"):  # frames that are not seen
                element.remove(child)
        label = element.get("aria-label")
        if label and element.tag != "g":
            ET.SubElement(element, "title").text = label
        for key in list(element.keys()):
            if key == "role" or key.startswith("aria-"):
                del element.attrib[key]
    root.attrib |= {"role": "img", "aria-label": name}
    return ET.tostring(root, encoding="unicode")


def standalone(svg: str, scheme: Scheme = "light") -> str:
    """Make a chart a file of its own: colors filled in, on a background, with a margin."""
    colored = re.sub(r"var\(--([\w-]+)\)", lambda found: color(found[1], scheme), svg)
    root = ET.fromstring(colored)
    size = {side: str(int(root.attrib[side]) + 2 * _MARGIN) for side in ("width", "height")}
    corner = {"x": str(-_MARGIN), "y": str(-_MARGIN)}
    box = " ".join([*corner.values(), *size.values()])
    root.attrib |= {"xmlns": _NAMESPACE, "viewBox": box, **size}
    root.insert(0, ET.Element("rect", {**corner, **size, "fill": color("paper", scheme)}))
    return ET.tostring(root, encoding="unicode")


def to_png(svg: str, scale: float = 2.0, scheme: Scheme = "light") -> bytes:
    """Return a chart as a PNG file, ``scale`` pixels per SVG unit.

    Raises:
        MissingPackageError: vl-convert is not installed.
    """
    png: bytes = _vl_convert().svg_to_png(standalone(svg, scheme), scale=scale)
    return png


def _vl_convert() -> Any:
    try:
        import vl_convert
    except ImportError as error:
        raise MissingPackageError(
            "drawing charts needs vl-convert", "pip install 'mpm-deploy[report]'"
        ) from error
    return vl_convert
