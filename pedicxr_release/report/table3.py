"""Table 3 in a terminal and as CSV, Markdown, LaTeX and HTML, with the reference beside each cell where there is one."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, NamedTuple

from rich import box
from rich.table import Table as Grid

from pedicxr_release.report.templates import environment
from pedicxr_release.stats.table3 import summarise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console

    from pedicxr_release.profile import Release
    from pedicxr_release.stats.breakdown import Breakdown
    from pedicxr_release.stats.table3 import Cell, Collection, Table3

OTHER_SOURCE = "†"
"""Marks a row whose reference is not the paper's."""
TITLES = {
    "scans": "Number of scans",
    "age_years": "Age (years, median)",
    "male_percent": "Male (%)",
    "female_percent": "Female (%)",
    "gigabytes": "Data size (GB)",
}


class ShownCell(NamedTuple):
    """One split's part of a row as it is printed: value, reference, difference."""

    value: str
    reference: str = ""
    difference: str = ""


class ShownRow(NamedTuple):
    """One row as it is printed: the section it stands in, its name, a cell a split."""

    section: str
    name: str
    cells: list[ShownCell]


def shown_rows(table: Table3) -> Iterator[ShownRow]:
    """Every row of Table 3, as the paper prints it."""
    columns = [_collection_cells(collection) for collection in table.collection.values()]
    for name in columns[0] if columns else ():
        yield ShownRow("collection", name, [column[name] for column in columns])
    for row in table.labels:
        mark = f" {OTHER_SOURCE}" if row.source not in (None, "paper") else ""
        yield ShownRow(row.kind, f"{row.number}. {row.name}{mark}", [_label_cell(cell) for cell in row.cells.values()])


def _collection_cells(collection: Collection) -> dict[str, ShownCell]:
    compared = {cell.name: cell for cell in collection.compared()}

    def cell(name: str, decimals: int) -> ShownCell:
        found = getattr(collection, name)
        value = "–" if found is None else f"{found:,.{decimals}f}"
        beside = compared.get(name)
        if beside is None or not collection.reference:
            return ShownCell(value)
        difference = "" if beside.found is None else _signed(beside.found - beside.reference, beside.decimals)
        return ShownCell(value, f"{beside.reference:,.{beside.decimals}f}", difference)

    size = _size_cell(cell("rows", 0), cell("columns", 0))
    gigabytes = cell("gigabytes", 1 if collection.bytes >= 5e7 else 4)
    return {
        "Years": ShownCell(collection.years or "–"),
        TITLES["scans"]: cell("scans", 0),
        "Number of human annotators per scan": ShownCell(str(collection.readers_per_scan or "–")),
        "Image size (pixel × pixel, median)": size,
        TITLES["age_years"]: cell("age_years", 2),
        "Images that carry an age": ShownCell(f"{collection.with_age:,}"),
        TITLES["male_percent"]: cell("male_percent", 2),
        TITLES["female_percent"]: cell("female_percent", 2),
        "Images that carry a sex": ShownCell(f"{collection.with_sex:,}"),
        TITLES["gigabytes"]: gigabytes,
    }


def _size_cell(rows: ShownCell, columns: ShownCell) -> ShownCell:
    def join(first: str, second: str) -> str:
        return f"{first} × {second}" if first and second else ""

    differences = (rows.difference, columns.difference)
    difference = "" if not any(differences) else "=" if set(differences) == {"="} else "≠"
    return ShownCell(join(rows.value, columns.value), join(rows.reference, columns.reference), difference)


def _label_cell(cell: Cell) -> ShownCell:
    percent = "–" if cell.percent is None else f"{cell.percent:.2f}%"
    value = f"{cell.count:,} ({percent})"
    if cell.reference is None or cell.difference is None:
        return ShownCell(value)
    return ShownCell(value, f"{cell.reference:,}", _signed(cell.difference, 0))


def _signed(difference: float, decimals: int) -> str:
    text = f"{difference:+.{decimals}f}"
    return "=" if float(text) == 0 else text


def summary_line(table: Table3) -> str:
    """One line that sums up the comparison; empty without a reference."""
    counted = summarise(table)
    if not counted.labels:
        return ""
    return (
        f"{counted.labels_equal} of {counted.labels} label cells equal, "
        f"{counted.collection_equal} of {counted.collection} cells of the upper part equal"
    )


def footnote(table: Table3) -> str:
    """What the mark at some rows means; empty if no row has it."""
    sources = sorted({row.source for row in table.labels if row.source not in (None, "paper")} - {None})
    return f"{OTHER_SOURCE} reference: {', '.join(map(str, sources))}, not the paper" if sources else ""


def print_table3(table: Table3, release: Release, console: Console, *, compare: bool) -> None:
    """Print Table 3 in a terminal, within 100 columns."""
    title = f"Dataset characteristics of {release.name} {release.version}"
    grid = Grid(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, padding=0, collapse_padding=True)
    grid.add_column("Characteristics", no_wrap=True, max_width=34 if compare else 60, overflow="ellipsis")
    for split in table.collection:
        grid.add_column(split, justify="right", no_wrap=True)
        if compare:
            grid.add_column("ref.", justify="right", no_wrap=True, style="dim")
            grid.add_column("Δ", justify="right", no_wrap=True)
    section = "collection"
    for row in shown_rows(table):
        if row.section != section:
            grid.add_section()
            section = row.section
        cells = [part.replace(" × ", "×") for cell in row.cells for part in (cell if compare else cell[:1])]
        grid.add_row(row.name, *cells)
    console.print(grid)
    if compare:
        for line in (footnote(table), summary_line(table)):
            if line:
                console.print(line, highlight=False)


def table3_markdown(table: Table3, *, compare: bool = False) -> str:
    """Write Table 3 as a Markdown table."""
    heads = [head for split in table.collection for head in ((split, "reference", "Δ") if compare else (split,))]
    lines = ["| Characteristics | " + " | ".join(heads) + " |", "| --- |" + " ---: |" * len(heads)]
    for row in shown_rows(table):
        cells = [part for cell in row.cells for part in (cell if compare else cell[:1])]
        lines.append(f"| {row.name} | {' | '.join(cells)} |")
    if compare:
        lines += ["", *(line for line in (footnote(table), summary_line(table)) if line)]
    return "\n".join(lines) + "\n"


def table3_csv(table: Table3, *, compare: bool = True) -> str:
    """Write Table 3 as tidy CSV: section, number, name, split, value, percent, reference, its percent, its source."""
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow(["section", "number", "name", "split", "value", "percent", "reference", "reference_percent", "source"])
    for split, collection in table.collection.items():
        references = {cell.name: cell.reference for cell in collection.compared()} if compare else {}
        for name, value in collection.model_dump(exclude={"reference", "declared"}).items():
            out.writerow(["collection", "", name, split, _plain(value), "", _plain(references.get(name)), "", ""])
    for row in table.labels:
        for split, cell in row.cells.items():
            percents = [_plain(cell.percent, 2)]
            percents += [_plain(cell.reference), _plain(cell.reference_percent, 2), row.source or ""] if compare else [""] * 3
            out.writerow([row.kind, row.number, row.name, split, cell.count, *percents])
    return text.getvalue()


def _plain(value: float | str | None, decimals: int | None = None) -> str:
    if value is None:
        return ""
    return f"{value:.{decimals}f}" if decimals is not None else str(value)


def _templated(template: str, table: Table3, release: Release, *, compare: bool) -> str:
    return (
        environment()
        .get_template(template)
        .render(
            release=release,
            splits=list(table.collection),
            rows=list(shown_rows(table)),
            compare=compare,
            footnote=footnote(table) if compare else "",
            summary=summary_line(table) if compare else "",
        )
    )


def table3_latex(table: Table3, release: Release, *, compare: bool = False) -> str:
    """Write Table 3 as a LaTeX table; it needs the package booktabs."""
    return _templated("table3.tex.j2", table, release, compare=compare)


def table3_html(table: Table3, release: Release, *, compare: bool = True) -> str:
    """Write Table 3 as a page of its own."""
    return _templated("table3.html.j2", table, release, compare=compare)


WRITERS: dict[str, Callable[..., str]] = {
    "csv": lambda table, _release, compare: table3_csv(table, compare=compare),
    "markdown": lambda table, _release, compare: table3_markdown(table, compare=compare),
    "latex": lambda table, release, compare: table3_latex(table, release, compare=compare),
    "html": lambda table, release, compare: table3_html(table, release, compare=compare),
}
"""How Table 3 is written to text, by format."""


def print_breakdown(breakdown: Breakdown, console: Console) -> None:
    """Print labels by group in a terminal."""
    for split, groups in breakdown.totals.items():
        grid = Grid(title=f"{split}: labels by {breakdown.by}", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
        grid.add_column("label", no_wrap=True, overflow="ellipsis", max_width=44)
        for group, total in groups.items():
            grid.add_column(f"{group}\n{total:,}", justify="right")
        for row in breakdown.labels:
            counts = row.counts[split]
            if any(counts.values()):
                cells = [f"{counts[g]:,} ({100 * counts[g] / total:.2f}%)" if total else "–" for g, total in groups.items()]
                grid.add_row(f"{row.number}. {row.name}", *cells)
        console.print(grid)


def breakdown_csv(breakdown: Breakdown) -> str:
    """Write labels by group as tidy CSV."""
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow(["number", "name", "split", breakdown.by, "images", "of"])
    for row in breakdown.labels:
        for split, counts in row.counts.items():
            for group, count in counts.items():
                out.writerow([row.number, row.name, split, group, count, breakdown.totals[split][group]])
    return text.getvalue()
