"""Text can be read: the ratio of contrast of every ink on every ground (WCAG 2.1, 1.4.3), in both themes."""

from __future__ import annotations

import re
from importlib import resources

import pytest

INKS = ("ink", "soft", "up", "down", "lit", "warn")
GROUNDS = ("paper", "tint", "lit-soft", "new", "changed", "gone", "ns", "bridge")


def luminance(colour: str) -> float:
    """Relative luminance of `#rrggbb`, 0 to 1."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(a: str, b: str) -> float:
    dark, light = sorted((luminance(a), luminance(b)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_ink_can_be_read_on_every_ground(theme: str) -> None:
    css = resources.files("kubenet_course.widgets").joinpath("static", "kubenet.css").read_text("utf-8")
    start = css.index('[data-kn-theme="dark"]') if theme == "dark" else css.index(".kn {")
    colours = dict(re.findall(r"--kn-([\w-]+): (#[0-9a-f]{6})", css[start : css.index("}", start)]))
    weak = {
        (ink, ground): round(ratio, 2)
        for ink in INKS
        for ground in GROUNDS
        if (ratio := contrast(colours[ink], colours[ground])) < 4.5
    }
    assert weak == {}
