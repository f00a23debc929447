"""Texts in pictures: names as users gave them, whatever is in them, and lines that fit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ...errors import printable

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.text import Text

LONGEST = 40  # characters of a name in a legend
_LABEL = 80  # characters of a label of an axis
_FILLED = 0.96  # share of the width that a line may take
_BETWEEN = "; "  # parts of a line


def elided(text: str, longest: int = LONGEST) -> str:
    """Return ``text`` with the middle left out, if it has more than ``longest`` characters."""
    if len(text) <= longest:
        return text
    kept = longest - 1
    return f"{text[: kept - kept // 2]}…{text[len(text) - kept // 2 :]}"


def distinct(names: Sequence[str], longest: int = LONGEST) -> list[str]:
    """Return the names elided, with their number before those that look alike then."""
    short = [elided(name, longest) for name in names]
    return [
        f"{k}: {elided(name, longest - 4)}" if short.count(shown) > 1 else shown
        for k, (name, shown) in enumerate(zip(names, short, strict=True), start=1)
    ]


def legible(text: str) -> str:
    """Return ``text`` with control characters, and letters that the font lacks, as escapes."""
    return "".join(c if _in_font(c) else _escape(c) for c in printable(text))


def plain(text: str) -> str:
    """Return ``text`` so that matplotlib draws it letter by letter: dollars start no formula."""
    return legible(text).replace("$", r"\$")


@lru_cache(maxsize=256)
def formulas(text: str) -> str:
    """Return a label so that matplotlib draws its formulas, or letter by letter if it cannot.

    Labels may come from files: matplotlib raises, when a picture is written, for what is no TeX.
    """
    from matplotlib import cbook
    from matplotlib.mathtext import MathTextParser

    shown = legible(text)
    if len(shown) > _LABEL or not cbook.is_math_text(shown):
        return plain(elided(text, _LABEL))
    try:
        MathTextParser("path").parse(shown)
    except Exception:  # ValueError, or whatever a formula does to the parser
        return plain(text)
    return shown


def write_title(figure: Figure, parts: Iterable[str], **font: Any) -> None:
    """Write ``parts`` above the panels, as many in a line as its width holds.

    Parameters
    ----------
    figure : Figure
    parts : iterable of str
        As users gave them.
    **font
        Of `matplotlib.text.Text`.
    """
    _fill(figure, figure.suptitle("", parse_math=False, **font), parts)


def write_below(figure: Figure, parts: Iterable[str], *, above: float = 0.0, **font: Any) -> float:
    """Write ``parts`` below the panels, which make room for them, and return the room [inches].

    Parameters
    ----------
    figure : Figure
        With a constrained layout. It grows by what is written.
    parts : iterable of str
    above : float
        Room to leave between the text and the panels [inches].
    **font
        Of `matplotlib.text.Text`.
    """
    edge = 0.08  # inches
    text = figure.text(0.0, 0.0, "", parse_math=False, va="bottom", **font)
    _fill(figure, text, parts)
    height = text.get_window_extent().height / figure.dpi + edge if text.get_text() else 0.0
    width, before = figure.get_size_inches()
    total = before + height + above
    figure.set_size_inches(width, total)
    text.set_position((edge / width, edge / total))
    layout: Any = figure.get_layout_engine()
    bottom = (height + above) / total
    layout.set(rect=(0.0, bottom, 1.0, 1.0 - bottom))
    return height


def _fill(figure: Figure, text: Text, parts: Iterable[str]) -> None:
    """Put ``parts`` into lines that are no wider than the figure.

    A part that is longer than a line is broken at blanks, and of a word that is longer the middle
    is left out.
    """
    widest = _FILLED * figure.bbox.width

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
    """Return whether the font of pictures has a letter."""
    if letter.isascii():
        return True
    from matplotlib import font_manager

    font = font_manager.get_font(font_manager.findfont("DejaVu Sans"))
    return bool(font.get_char_index(ord(letter)))
