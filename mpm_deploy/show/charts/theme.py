"""Defines how charts look: colors and shapes by name, and the rest of Vega-Lite's settings."""

from typing import Literal

Scheme = Literal["light", "dark"]

_COLORS = {  # light, dark
    "paper": ("#ffffff", "#1a1a1f"),
    "ink": ("#16161a", "#f2f2f0"),
    "soft": ("#5d5d63", "#b5b5b2"),
    "faint": ("#8b8b90", "#85858a"),
    "line": ("#e3e3de", "#303036"),
    "goal": ("#16161a", "#f2f2f0"),
    "full": ("#9a9aa0", "#77777e"),
    "c0": ("#2a6fd6", "#4f93f0"),
    "c1": ("#d9622b", "#e8783f"),
    "c2": ("#14936a", "#2bb083"),
    "c3": ("#8a4fc7", "#a97be0"),
    "c4": ("#c23f7c", "#dd6a9d"),
    "c5": ("#0f8598", "#35b4c9"),
    "c0-pale": ("#9fbeed", "#32507d"),
    "stage-decode": ("#14936a", "#2bb083"),
    "stage-fit": ("#d99b00", "#d1a11f"),
    "stage-copy": ("#8a4fc7", "#a97be0"),
    "stage-scores": ("#2a6fd6", "#4f93f0"),
    "stage-labels": ("#d9622b", "#e8783f"),
}
NAMES = tuple(_COLORS)
VARIABLES = tuple(f"var(--{name})" for name in NAMES)
_SHAPES = {  # of points, for those who see few colors
    "full": "square",
    "c1": "triangle-up",
    "c2": "diamond",
    "c3": "triangle-down",
    "c4": "cross",
}
SHAPES = tuple(_SHAPES.get(name, "circle") for name in NAMES)

WIDTH = 340
BAR = 16

_HEAD = {"color": "var(--soft)", "fontSize": 12, "fontWeight": "normal"}
CONFIG = {
    "background": "transparent",
    "view": {"stroke": None},
    "bar": {"cornerRadiusEnd": 2},
    "line": {"strokeWidth": 2, "opacity": 0.45, "aria": False},
    "point": {"size": 80, "opacity": 1, "stroke": "var(--paper)", "strokeWidth": 1},
    "rule": {"stroke": "var(--ink)"},
    "text": {"fontSize": 12, "fill": "var(--ink)", "aria": False},
    "tick": {"fill": "var(--ink)", "opacity": 1},
    "title": {"anchor": "start", "frame": "group", "offset": 5, **_HEAD},
    "axis": {
        "labelColor": "var(--faint)",
        "labelFontSize": 11,
        "labelPadding": 5,
        "labelAngle": 0,
        "labelFlush": False,
        "ticks": False,
        "domainColor": "var(--faint)",
        "gridColor": "var(--line)",
        "titleAnchor": "end",
        **{f"title{key[0].upper()}{key[1:]}": value for key, value in _HEAD.items()},
    },
    "legend": {
        "title": None,
        "orient": "bottom",
        "offset": 12,
        "labelColor": "var(--soft)",
        "labelFontSize": 12,
        "labelLimit": WIDTH - 20,
    },
}


def color(name: str, scheme: Scheme) -> str:
    """Return a named color as ``"#rrggbb"``."""
    return _COLORS[name][("light", "dark").index(scheme)]


def style_sheet() -> str:
    """Return the CSS that gives each color name its value, in the scheme that the
    reader prefers.
    """
    light, dark = (
        " ".join(f"--{name}: {color(name, scheme)};" for name in NAMES)
        for scheme in ("light", "dark")
    )
    return f":root {{ {light} }}\n@media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}"
