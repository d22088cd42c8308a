"""The report in a terminal: the verdict first, then the worst by check, one screen for a clean release."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.text import Text

from pedicxr_release.finding import Severity, catalogue

if TYPE_CHECKING:
    from rich.console import Console

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
    release, evidence = report.profile.release, report.evidence
    size = sum(record.size for record in evidence.records)
    console.print(
        f"pedicxr-release {report.tool_version}, profile {release.name} {release.version}: "
        f"{count(len(evidence.records), 'image')} ({human_size(size)}), {count(len(evidence.tables), 'table')}",
        highlight=False,
    )
    console.print(_verdict(report))
    grouped: defaultdict[tuple[int, str], list[Judged]] = defaultdict(list)
    for judged in (j for j in report.judged if every or not j.excepted):
        grouped[-judged.severity.rank, judged.finding.code].append(judged)
    for (_, code), group in sorted(grouped.items(), key=lambda item: (item[0][0], _urgency(item[0][1]), -len(item[1]))):
        _print_check(code, group, console, every=every)
    hidden = any(len(group) > PLACES for group in grouped.values())
    if not every and hidden:
        console.print("\n[dim]-v lists every finding; explain CODE says more about a check[/dim]")


def _verdict(report: Report) -> Text:
    errors, warnings, remarks = (report.counts[severity] for severity in Severity)
    counts = f"{count(errors, 'error')}, {count(warnings, 'warning')}, {remarks} for information"
    counts += f", {report.excepted} excepted" if report.excepted else ""
    if report.verdict == "pass":
        return Text.assemble(("GATE OPEN", "bold green"), f"  {counts}")
    return Text.assemble(("GATE SHUT", "bold red"), f"  {counts}")


def _urgency(code: str) -> tuple[bool, str]:
    """Identity comes first within a severity."""
    return (not code.startswith("PHI"), code)


def _print_check(code: str, group: list[Judged], console: Console, *, every: bool) -> None:
    check, severity = catalogue()[code], group[0].severity
    head = Text.assemble(
        "\n",
        (f"{severity.value:7}", STYLES[severity]),
        " ",
        (code, "bold"),
        f" {check.name}",
        (f"  × {len(group)}", "dim"),
    )
    console.print(head)
    for judged in group if every else group[:PLACES]:
        finding = judged.finding
        place = " ".join(
            part for part in ("(excepted)" if judged.excepted else "", finding.path, str(finding.location)) if part
        )
        text = f"{place}: {finding.message}" if place else finding.message
        console.print(Padding(Text(text), (0, 0, 0, 8), expand=False), highlight=False)
    if not every and len(group) > PLACES:
        console.print(f"        [dim]… and {len(group) - PLACES} more[/dim]")
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
