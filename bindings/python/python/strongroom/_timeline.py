"""A timeline as SVG, for notebooks: one lane for each part, one bar for each backup."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape

WIDTH, LANE, LEFT, TOP = 720, 44, 130, 8
COLOURS = {"base": "#1f6feb", "incremental": "#58a6ff", "synthetic": "#8250df", "log-segment": "#9a6700"}


@dataclass(frozen=True)
class Bar:
    """One backup: the changes after ``start`` up to ``until``. Without ``start``: all of the part at ``until``."""

    lane: str
    kind: str
    start: datetime | None
    until: datetime
    label: str
    faint: bool = False


def svg(bars: Iterable[Bar], mark: datetime | None = None) -> str:
    """Draws it. ``mark`` is a moment to be marked, such as the one that is reached."""
    bars = list(bars)
    moments = [moment for bar in bars for moment in (bar.start, bar.until) if moment is not None]
    moments += [mark] if mark is not None else []
    if not moments:
        return "<svg></svg>"
    first, last = min(moments), max(moments)
    span = max(last - first, timedelta(microseconds=1))
    lanes = {name: number for number, name in enumerate(dict.fromkeys(bar.lane for bar in bars))}
    height = TOP + LANE * len(lanes) + 28

    def x(moment: datetime) -> float:
        return round(LEFT + (moment - first) / span * (WIDTH - LEFT - 20), 1)

    def y(lane: str) -> int:
        return TOP + LANE * lanes[lane] + LANE // 2

    drawn = [f'<text x="{LEFT - 16}" y="{y(lane) + 4}" text-anchor="end">{escape(lane)}</text>' for lane in lanes]
    drawn += [f'<line x1="{LEFT}" x2="{WIDTH - 20}" y1="{y(lane)}" y2="{y(lane)}" stroke="#d0d7de"/>' for lane in lanes]
    for bar in bars:
        colour, opacity = COLOURS.get(bar.kind, "#57606a"), 0.3 if bar.faint else 1
        title = f"<title>{escape(bar.label)}</title>"
        if bar.start is None:
            shape = f'<circle cx="{x(bar.until)}" cy="{y(bar.lane)}" r="7"'
        else:
            wide = max(x(bar.until) - x(bar.start), 3)
            shape = f'<rect x="{x(bar.start)}" y="{y(bar.lane) - 5}" width="{wide}" height="10" rx="3"'
        drawn.append(f'{shape} fill="{colour}" opacity="{opacity}" stroke="#fff">{title}</{shape[1:].split()[0]}>')
    if mark is not None:
        drawn.append(
            f'<line x1="{x(mark)}" x2="{x(mark)}" y1="0" y2="{height - 22}" stroke="#cf222e" stroke-dasharray="4 3">'
            f"<title>{mark.isoformat()}</title></line>"
        )
    for moment, anchor in ((first, "start"), (last, "end")):
        text = moment.isoformat(sep=" ", timespec="seconds")
        drawn.append(f'<text x="{x(moment)}" y="{height - 6}" text-anchor="{anchor}" fill="#57606a">{text}</text>')
    body = "".join(drawn)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'font-family="sans-serif" font-size="12">{body}</svg>'
    )
