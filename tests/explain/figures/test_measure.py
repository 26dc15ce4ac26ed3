"""Tests of the widths of texts: none is wider in a font that people have."""

from pathlib import Path

import matplotlib as mpl
import pytest
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextToPath

from cellwright.cells import load, names
from cellwright.explain.figures.arrange import arranged
from cellwright.explain.figures.measure import text_width
from cellwright.explain.figures.reading import wiring
from cellwright.explain.figures.scene import Text

FONTS = Path(mpl.get_data_path()) / "fonts" / "ttf"


@pytest.mark.parametrize("bold", [False, True])
def test_no_text_is_wider_than_it_is_thought_to_be(bold: bool):
    """DejaVu Sans, the widest font of the list, keeps to the table."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    font = FontProperties(fname=str(FONTS / name), size=12)
    measure = TextToPath()
    for text in texts(bold):
        width, _, _ = measure.get_text_width_height_descent(text, font, ismath=False)
        assert width <= text_width(text, 12, bold) * 1.01 + 0.5, text


def texts(bold: bool) -> set[str]:
    """Return every text in the pictures of the library that is bold, or is not."""
    scenes = [arranged(wiring(load(name))) for name in names()]
    found: list[Text] = [
        t for s in scenes for h in s.shapes for t in (*h.texts, *h.beside)
    ]
    return {text.text for text in found if text.bold == bold}
