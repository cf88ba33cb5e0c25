"""Plain tables for the terminal; Chinese characters take two columns."""

import unicodedata
from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import click


def width(text: str) -> int:
    """How many columns of a terminal ``text`` takes (Unicode TR11)."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def rows(header: Sequence[str], table: Sequence[Sequence[str]]) -> None:
    """Print ``table`` under ``header``, columns as wide as they need."""
    everything = [header, *table]
    widths = [max(width(row[column]) for row in everything) for column in range(len(header))]
    for row in everything:
        cells = [cell + " " * (wide - width(cell)) for cell, wide in zip(row, widths, strict=True)]
        click.echo("  ".join(cells).rstrip())


def local(instant: datetime, zone: ZoneInfo) -> str:
    """An instant on the firm's clock, to the minute."""
    return instant.astimezone(zone).strftime("%Y-%m-%d %H:%M")
