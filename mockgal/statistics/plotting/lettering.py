"""Texts in figures: user-given names with any characters, and lines that fit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ...errors import printable

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.text import Text

LONGEST = 40  # characters of a name in a legend
_LABEL = 80  # characters of an axis label
_FILLED = 0.96  # fraction of the figure's width that a line may take
_BETWEEN = "; "  # separates the parts of a line


def elided(text: str, longest: int = LONGEST) -> str:
    """Return ``text`` without its middle if it has more than ``longest`` characters."""
    if len(text) <= longest:
        return text
    kept = longest - 1
    return f"{text[: kept - kept // 2]}…{text[len(text) - kept // 2 :]}"


def distinct(names: Sequence[str], longest: int = LONGEST) -> list[str]:
    """Return the elided names, prefixed with their number if they then look alike."""
    short = [elided(name, longest) for name in names]
    return [
        f"{k}: {elided(name, longest - 4)}" if short.count(shown) > 1 else shown
        for k, (name, shown) in enumerate(zip(names, short, strict=True), start=1)
    ]


def legible(text: str) -> str:
    """Return ``text`` with control characters, and letters missing from the font, escaped."""
    return "".join(c if _in_font(c) else _escape(c) for c in printable(text))


def plain(text: str) -> str:
    """Return ``text`` escaped for matplotlib, so that dollar signs start no formula."""
    return legible(text).replace("$", r"\$")


@lru_cache(maxsize=256)
def formulas(text: str) -> str:
    """Return a label with its formulas if matplotlib can draw them, else as plain text.

    Labels may come from files: for invalid TeX matplotlib raises when a figure is saved.
    """
    from matplotlib import cbook
    from matplotlib.mathtext import MathTextParser

    shown = legible(text)
    if len(shown) > _LABEL or not cbook.is_math_text(shown):
        return plain(elided(text, _LABEL))
    try:
        MathTextParser("path").parse(shown)
    except Exception:  # ValueError, or anything else that a formula makes the parser raise
        return plain(text)
    return shown


def write_title(figure: Figure, parts: Iterable[str], **font: Any) -> None:
    """Write ``parts`` above the panels, as many on a line as fit.

    Parameters
    ----------
    figure : Figure
    parts : iterable of str
        Texts with any characters.
    **font
        Passed to `matplotlib.text.Text`.
    """
    fill(figure, figure.suptitle("", parse_math=False, **font), parts)


def write_below(figure: Figure, parts: Iterable[str], *, above: float = 0.0, **font: Any) -> float:
    """Write ``parts`` below the panels and return the height of the text [inches].

    Parameters
    ----------
    figure : Figure
        With a constrained layout. It grows by the height of the text.
    parts : iterable of str
    above : float
        Space between the text and the panels [inches].
    **font
        Passed to `matplotlib.text.Text`.
    """
    edge = 0.08  # inches
    text = figure.text(0.0, 0.0, "", parse_math=False, va="bottom", **font)
    fill(figure, text, parts)
    height = text.get_window_extent().height / figure.dpi + edge if text.get_text() else 0.0
    width, before = figure.get_size_inches()
    total = before + height + above
    figure.set_size_inches(width, total)
    text.set_position((edge / width, edge / total))
    layout: Any = figure.get_layout_engine()
    bottom = (height + above) / total
    layout.set(rect=(0.0, bottom, 1.0, 1.0 - bottom))
    return height


def fill(
    figure: Figure | SubFigure, text: Text, parts: Iterable[str], *, share: float = _FILLED
) -> None:
    """Set a text to ``parts``, broken into lines of at most a share of the figure's width.

    A part that is longer than a line is broken at blanks; a word that is longer loses its middle.
    """
    widest = share * figure.bbox.width

    def fits(line: str) -> bool:
        text.set_text(line)
        return bool(text.get_window_extent().width <= widest)

    lines: list[str] = []
    for shown in map(legible, filter(None, parts)):
        if lines and fits(lines[-1] + _BETWEEN + shown):
            lines[-1] += _BETWEEN + shown
            continue
        line = ""
        for word in shown.split(" "):
            longer = f"{line} {word}" if line else word
            if line and not fits(longer):
                lines.append(line)
                longer = word
            longest = len(longer)
            while longest > 8 and not fits(longer):
                longest -= 1
                longer = elided(longer, longest)
            line = longer
        lines.append(line)
    text.set_text("\n".join(lines))


def _escape(letter: str) -> str:
    return letter.encode("ascii", "backslashreplace").decode()


@lru_cache(maxsize=4096)
def _in_font(letter: str) -> bool:
    """Return whether the font of figures has a letter."""
    if letter.isascii():
        return True
    from matplotlib import font_manager

    font = font_manager.get_font(font_manager.findfont("DejaVu Sans"))
    return bool(font.get_char_index(ord(letter)))
