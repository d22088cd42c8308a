"""A difference as text, JSON, and Markdown for release notes."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from pedicxr_release.report.markdown import escape
from pedicxr_release.report.text import count

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pedicxr_release.diff.compare import BoxChange, Difference, LabelChange

LISTED = 10
"""Files or images that are named; of the others the number is given, and JSON has them all."""


def to_text(difference: Difference) -> str:
    """Write a difference for a terminal: what changed, by kind, the first of each."""
    if difference.empty:
        return f"no difference: {count(difference.files.same, 'file')} with the same bytes\n"
    lines = [f"before  {difference.before}", f"after   {difference.after}"]
    for title, entries in _sections(difference):
        lines += ["", f"{title}: {len(entries):,}", *(f"  {entry}" for entry in entries[:LISTED])]
        if len(entries) > LISTED:
            lines.append(f"  … and {len(entries) - LISTED:,} more")
    return "\n".join(lines) + "\n"


def to_markdown(difference: Difference) -> str:
    """Write a difference as release notes."""
    if difference.empty:
        return "No difference.\n"
    files = difference.files
    lines = ["## Changes", ""]
    numbers = {"added": len(files.added), "removed": len(files.removed), "renamed or moved": len(files.renamed)}
    numbers |= {"changed": len(files.changed), "unchanged": files.same}
    lines += [f"- {count(number, 'file')} {what}" for what, number in numbers.items()]
    if difference.boxes:
        lines += ["", "### Boxes", "", "| label | split | images | added | removed | moved |", "| --- | --- |" + " ---: |" * 4]
        lines += [_row(*row) for row in _by_box_label(difference)]
    if difference.labels:
        lines += [
            "",
            "### Image-level labels",
            "",
            "| label | split | images | gained | lost |",
            "| --- | --- |" + " ---: |" * 3,
        ]
        lines += [_row(*row) for row in _by_image_label(difference)]
    if difference.table3:
        lines += ["", "### Table 3", "", "| row | split | before | after |", "| --- | --- | ---: | ---: |"]
        lines += [f"| {escape(cell.row)} | {cell.split} | {cell.before} | {cell.after} |" for cell in difference.table3]
    named = [(title, entries) for title, entries in _sections(difference) if title.startswith("files")]
    for title, entries in named:
        lines += ["", f"### {title.capitalize()}", "", *(f"- {escape(entry)}" for entry in entries[:LISTED])]
        if len(entries) > LISTED:
            lines.append(f"- … and {len(entries) - LISTED:,} more")
    return "\n".join(lines) + "\n"


def _sections(difference: Difference) -> list[tuple[str, Sequence[str]]]:
    files = difference.files
    sections: list[tuple[str, Sequence[str]]] = [
        ("files added", files.added),
        ("files removed", files.removed),
        ("files renamed or moved", [f"{one.old} → {one.new}" for one in files.renamed]),
        ("files changed", [f"{one.path} ({one.what})" for one in files.changed]),
        ("boxes changed, by image and class", [
            f"{one.split} {one.image_id} {one.label}: {_moves(one)}" for one in difference.boxes
        ]),
        ("image-level labels changed", [
            f"{one.split} {one.image_id} {one.label}: {_shown(one.before)} → {_shown(one.after)}" for one in difference.labels
        ]),
        ("cells of Table 3 changed", [f"{one.row}, {one.split}: {one.before} → {one.after}" for one in difference.table3]),
    ]  # fmt: skip
    return [(title, entries) for title, entries in sections if entries]


def _moves(change: BoxChange) -> str:
    numbers = {"added": change.added, "removed": change.removed, "moved": change.moved}
    return ", ".join(f"{number} {what}" for what, number in numbers.items() if number)


def _row(label: str, split: str, *numbers: int) -> str:
    return f"| {escape(label)} | {split} | {' | '.join(f'{number:,}' for number in numbers)} |"


def _shown(value: int | None) -> str:
    return "–" if value is None else str(value)


def _by_box_label(difference: Difference) -> list[tuple[str, str, int, int, int, int]]:
    """Label, split, images, and boxes added, removed, moved."""
    by_label: defaultdict[tuple[str, str], list[BoxChange]] = defaultdict(list)
    for one in difference.boxes:
        by_label[one.label, one.split].append(one)
    return [
        (*key, len(ones), sum(one.added for one in ones), sum(one.removed for one in ones), sum(one.moved for one in ones))
        for key, ones in sorted(by_label.items())
    ]


def _by_image_label(difference: Difference) -> list[tuple[str, str, int, int, int]]:
    """Label, split, images, and how often it was gained and lost."""
    by_label: defaultdict[tuple[str, str], list[LabelChange]] = defaultdict(list)
    for one in difference.labels:
        by_label[one.label, one.split].append(one)
    return [
        (*key, len({one.image_id for one in ones}), sum(one.after == 1 for one in ones), sum(one.before == 1 for one in ones))
        for key, ones in sorted(by_label.items())
    ]


WRITERS: dict[str, Callable[[Difference], str]] = {
    "text": to_text,
    "json": lambda difference: difference.model_dump_json(indent=2) + "\n",
    "markdown": to_markdown,
}
"""How a difference is written, by format."""
