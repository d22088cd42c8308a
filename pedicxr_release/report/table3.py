"""Table 3 as text, JSON, CSV and Markdown."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from rich.table import Table as Grid

from pedicxr_release.stats.table3 import summary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from pedicxr_release.profile import Profile
    from pedicxr_release.stats.table3 import Cell, Collection, Table3


def collection_rows(collection: Collection) -> list[tuple[str, str]]:
    """The upper part of Table 3 for one split: name and value as the paper prints them."""

    def number(value: float | None, decimals: int) -> str:
        return "–" if value is None else f"{value:,.{decimals}f}"

    return [
        ("Years", collection.years or "–"),
        ("Number of scans", f"{collection.scans:,}"),
        ("Number of human annotators per scan", str(collection.readers_per_scan or "–")),
        ("Image size (pixel × pixel, median)", f"{number(collection.rows, 0)} × {number(collection.columns, 0)}"),
        ("Age (years, median)", f"{number(collection.age_years, 2)} (of {collection.with_age:,})"),
        ("Male (%)", f"{number(collection.male_percent, 2)} (of {collection.with_sex:,})"),
        ("Female (%)", f"{number(collection.female_percent, 2)} (of {collection.with_sex:,})"),
        (
            "Data size (GB)",
            number(collection.gigabytes, 1) if collection.bytes >= 5e7 else number(collection.gigabytes, 4),
        ),
    ]


def cell_text(cell: Cell) -> str:
    """A label's cell as the paper prints it: ``1,358 (17.57%)``."""
    return f"{cell.count:,} ({'–' if cell.percent is None else f'{cell.percent:.2f}%'})"


def table_rows(table: Table3) -> Iterator[tuple[str, str, list[str]]]:
    """Every row of Table 3: its section, its name, a cell a split."""
    columns = [collection_rows(collection) for collection in table.collection.values()]
    for cells in zip(*columns, strict=True):
        yield "collection", cells[0][0], [value for _, value in cells]
    for row in table.labels:
        yield row.kind, f"{row.number}. {row.name}", [cell_text(cell) for cell in row.cells.values()]


def print_table3(table: Table3, profile: Profile, console: Console) -> None:
    """Print Table 3 in a terminal."""
    grid = Grid(title=f"Dataset characteristics of {profile.release.name} {profile.release.version}", title_justify="left")
    grid.add_column("Characteristics", no_wrap=True, max_width=50, overflow="ellipsis")
    for split in table.collection:
        grid.add_column(split, justify="right", no_wrap=True)
    section = "collection"
    for kind, name, cells in table_rows(table):
        if kind != section:
            grid.add_section()
            section = kind
        grid.add_row(name, *cells)
    console.print(grid)
    equal, total = summary(table)
    if total:
        console.print(f"{equal} of {total} label cells equal the reference", highlight=False)


def table3_markdown(table: Table3) -> str:
    """Write Table 3 as a Markdown table."""
    lines = [
        "| Characteristics | " + " | ".join(table.collection) + " |",
        "| --- |" + " ---: |" * len(table.collection),
    ]
    lines += [f"| {name} | {' | '.join(cells)} |" for _, name, cells in table_rows(table)]
    return "\n".join(lines) + "\n"


def table3_csv(table: Table3) -> str:
    """Write Table 3 as tidy CSV: section, number, name, split, count or value, percent, reference."""
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow(["section", "number", "name", "split", "value", "percent", "reference", "reference_percent", "source"])
    for split, collection in table.collection.items():
        for name, value in collection.model_dump().items():
            out.writerow(["collection", "", name, split, _plain(value), "", "", "", ""])
    for row in table.labels:
        for split, cell in row.cells.items():
            percents = [_plain(cell.percent, 2), _plain(cell.reference), _plain(cell.reference_percent, 2)]
            out.writerow([row.kind, row.number, row.name, split, cell.count, *percents, row.source or ""])
    return text.getvalue()


def _plain(value: float | str | None, decimals: int | None = None) -> str:
    if value is None:
        return ""
    return f"{value:.{decimals}f}" if decimals is not None else str(value)
