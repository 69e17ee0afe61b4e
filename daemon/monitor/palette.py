"""Colours: the eight of Okabe and Ito, which colour-blind eyes tell apart, on a dark and a light ground.

Source: M. Okabe, K. Ito, "Color Universal Design", 2008. No meaning rests on colour alone: every state also
has its word, every kind of point its shape.
"""

from __future__ import annotations

from dataclasses import dataclass

from daemon.items import ThicknessSource

ORANGE, SKY, GREEN, YELLOW = "#E69F00", "#56B4E9", "#009E73", "#F0E442"
BLUE, VERMILLION, PURPLE, GREY = "#0072B2", "#D55E00", "#CC79A7", "#999999"

ACCENT = "#0067a3"  # of what can be pressed: white on it has a contrast of 6 : 1

# Phases of the volume, red, green, blue: pore, solid, further phases.
PHASES = ((38, 47, 59), (240, 190, 72), (86, 180, 233), (0, 158, 115), (204, 121, 167))

DOUBT = (213, 94, 0)  # vermillion, as far from the solid's yellow as the palette goes


@dataclass(frozen=True, slots=True)
class Palette:
    """What a chart is drawn with; ``series`` are for lines in a fixed order."""

    name: str
    text: str
    muted: str
    grid: str
    panel: str
    measured: str
    mean: str
    limit: str
    target: str
    series: tuple[str, ...]


DARK = Palette(
    name="dark",
    text="#e6edf3",
    muted="#9aa7b4",
    grid="#26303b",
    panel="#151c24",
    measured=SKY,
    mean=ORANGE,
    limit="#ff7a3d",
    target="#c9d1d9",
    series=(SKY, ORANGE, "#35c99b", PURPLE),
)
LIGHT = Palette(
    name="light",
    text="#1b2530",
    muted="#52606d",
    grid="#dfe4ea",
    panel="#ffffff",
    measured=BLUE,
    mean="#b87700",
    limit=VERMILLION,
    target="#3d4a57",
    series=(BLUE, "#b87700", "#00795a", "#a8487e"),
)
PALETTES = {palette.name: palette for palette in (DARK, LIGHT)}

SOURCE_NAMES = {
    ThicknessSource.RULER: "ruler",
    ThicknessSource.ASV: "microscope's estimate",
    ThicknessSource.SIMILARITY: "image similarity",
    ThicknessSource.TARGET: "assumed",
}
SOURCE_SYMBOLS = {
    ThicknessSource.RULER: "circle",
    ThicknessSource.ASV: "triangle",
    ThicknessSource.SIMILARITY: "rect",
    ThicknessSource.TARGET: "emptyDiamond",
}
