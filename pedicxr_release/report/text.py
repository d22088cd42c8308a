"""The report in a terminal: the verdict first, then the worst by check, one screen for a clean release."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.text import Text

from pedicxr_release.finding import Severity
from pedicxr_release.report.grouping import group_by_check, sentence

if TYPE_CHECKING:
    from rich.console import Console

    from pedicxr_release.report.grouping import CheckGroup
    from pedicxr_release.validation import Judged, Report

STYLES = {Severity.error: "bold red", Severity.warning: "yellow", Severity.info: "cyan"}
PLACES = 3
"""How many places are named for each check."""


def print_report(report: Report, console: Console, *, every: bool = False) -> None:
    """Print a report.

    Parameters
    ----------
    report
        What to print.
    console
        Where to.
    every
        List every finding instead of the first places of each check.
    """
    console.print(seen_line(report), highlight=False)
    verdict = Text(verdict_line(report))
    verdict.stylize("bold green" if report.verdict == "pass" else "bold red", 0, len("GATE OPEN"))
    console.print(verdict)
    shown = [(group, group.findings + (group.excepted if every else [])) for group in group_by_check(report)]
    for group, judged in shown:
        if judged:
            _print_check(group, judged, console, every=every)
    hidden = any(len(judged) > PLACES for _, judged in shown)
    if not every and hidden:
        console.print("\n[dim]-v lists every finding; explain CODE says more about a check[/dim]")


def seen_line(report: Report) -> str:
    """Say with what the report was made and what it looked at."""
    release, evidence = report.profile.release, report.evidence
    size = sum(record.size for record in evidence.records)
    return (
        f"pedicxr-release {report.tool_version}, profile {release.name} {release.version}: "
        f"{count(len(evidence.records), 'image')} ({human_size(size)}), {count(len(evidence.tables), 'table')}"
    )


def verdict_line(report: Report) -> str:
    """Say whether the gate is open, and how many findings there are."""
    errors, warnings, remarks = (report.counts[severity] for severity in Severity)
    counts = f"{count(errors, 'error')}, {count(warnings, 'warning')}, {remarks} for information"
    counts += f", {report.excepted} excepted" if report.excepted else ""
    return f"GATE {'OPEN' if report.verdict == 'pass' else 'SHUT'}  {counts}"


def _print_check(group: CheckGroup, found: list[Judged], console: Console, *, every: bool) -> None:
    check, severity = group.check, group.severity
    head = Text.assemble(
        "\n",
        (f"{severity.value:7}", STYLES[severity]),
        " ",
        (check.code, "bold"),
        f" {check.name}",
        (f"  × {len(found)}", "dim"),
    )
    console.print(head)
    for judged in found if every else found[:PLACES]:
        text = ("(excepted) " if judged.excepted else "") + sentence(judged)
        console.print(Padding(Text(text), (0, 0, 0, 8), expand=False), highlight=False)
    if not every and len(found) > PLACES:
        console.print(f"        [dim]… and {len(found) - PLACES} more[/dim]")
    if severity is not Severity.info:
        console.print(Padding(Text.assemble(("→ ", "bold"), check.remedy), (0, 0, 0, 8), expand=False), highlight=False)


def count(number: int, noun: str) -> str:
    """Write a number with its noun: ``1 image``, ``9,125 images``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def human_size(size: int) -> str:
    """Write a number of bytes in decimal units, as PhysioNet does."""
    value = float(size)
    for unit in ("bytes", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"
