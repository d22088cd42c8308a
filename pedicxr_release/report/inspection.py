"""One file's structure in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table as Grid
from rich.text import Text

from pedicxr_release.finding import catalogue

if TYPE_CHECKING:
    from rich.console import Console

    from pedicxr_release.examine.inspection import Inspection

STYLES = {"retained": "green", "refused": "bold red", "not retained": "red", "identifies": "bold red"}


def print_inspection(inspection: Inspection, console: Console) -> None:
    """Print every element with its state, the byte account, and the findings."""
    revealed = any(element.value is not None for element in inspection.elements)
    grid = Grid("byte", "tag", "keyword", "VR", "length", "state", *(["value"] if revealed else []), box=None, pad_edge=False)
    grid.columns[0].justify = grid.columns[4].justify = "right"
    for element in inspection.elements:
        tag = "  " * element.depth + element.tag.rpartition(" > ")[2]
        cells = [str(element.offset), tag, element.keyword or "–", element.vr, str(element.length)]
        state = Text(element.state, style=STYLES[element.state])
        grid.add_row(*cells, state, *([Text(element.value or "")] if revealed else []))
    console.print(grid)
    account = inspection.account
    if account:
        total = account.preamble + account.meta + account.elements + account.pixels + account.left_over
        console.print(
            f"\n{total:,} bytes: {account.preamble} preamble, {account.meta:,} file meta, {account.elements:,} elements, "
            f"{account.pixels:,} pixels, {account.left_over:,} left over"
        )
    findings = inspection.record.findings
    console.print(f"\n{len(findings)} finding{'' if len(findings) == 1 else 's'}" + (":" if findings else ""))
    for finding in findings:
        line = f"{finding.code} {catalogue()[finding.code].name} {finding.location}: {finding.message}"
        console.print(Text(line), soft_wrap=True)
