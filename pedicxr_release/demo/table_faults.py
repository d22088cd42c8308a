"""Faults in a single table: changes of its bytes, its rows, its cells."""

from __future__ import annotations

import csv
import gzip
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pedicxr_release.demo.write import Demo

    Plant = Callable[[Demo], Path]
    Rows = list[list[str]]

BOXES, LABELS = "annotations", "image_labels"


def _bytes(table: str, change: Callable[[bytes], bytes]) -> Plant:
    def make(demo: Demo) -> Path:
        path = demo.table_path("train", table)
        path.write_bytes(change(path.read_bytes()))
        return path

    return make


def _rows(table: str, change: Callable[[Rows], Rows | None]) -> Plant:
    """Change the rows, header included; in place or by returning new ones."""

    def make(demo: Demo) -> Path:
        path = demo.table_path("train", table)
        with path.open(newline="", encoding="utf-8") as source:
            rows = list(csv.reader(source))
        rows = change(rows) or rows
        with path.open("w", newline="", encoding="utf-8") as target:
            csv.writer(target, lineterminator="\n").writerows(rows)
        return path

    return make


def _box(column: int, change: Callable[[str], str]) -> Plant:
    """Change a cell of the first row that is a box."""

    def edit(rows: Rows) -> None:
        row = first_box(rows)
        row[column] = change(row[column])

    return _rows(BOXES, edit)


def first_box(rows: Rows) -> list[str]:
    """The first row that is a box and no placeholder."""
    return next(row for row in rows[1:] if row[3])


def first_placeholder(rows: Rows) -> list[str]:
    """The first row that is a placeholder."""
    return next(row for row in rows[1:] if not row[3])


def _label(column: int, value: str) -> Plant:
    return _rows(LABELS, lambda rows: rows[1].__setitem__(column, value))


def _whole_image(demo: Demo) -> Path:
    sizes = {image.image_id: (image.columns, image.rows) for image in demo.images["train"]}

    def edit(rows: Rows) -> None:
        row = first_box(rows)
        row[3:7] = ["0", "0", *map(str, sizes[row[0]])]

    return _rows(BOXES, edit)(demo)


def _box_on_a_clear_image(rows: Rows) -> None:
    row = first_placeholder(rows)
    row[2:] = ["Cardiomegaly", "10", "10", "90", "90", "6"]


def _no_finding_and_more(rows: Rows) -> None:
    row = next(row for row in rows[1:] if row[2] == "1")
    row[3] = "1"


def _no_label_at_all(rows: Rows) -> None:
    row = next(row for row in rows[1:] if row[2] == "1")
    row[2] = "0"


def _local_columns(demo: Demo) -> Path:
    """The label table with a column for each local label, one of them unlike the boxes."""
    local = [label.name for label in demo.profile.labels.local]
    seen = {image.image_id: image.local for image in demo.images["train"]}

    def edit(rows: Rows) -> None:
        rows[0] += local
        for row in rows[1:]:
            row += ["1" if name in seen[row[0]] else "0" for name in local]
        rows[1][-1] = "1"

    return _rows(LABELS, edit)(demo)


def _one_sided(demo: Demo) -> Path:
    """One reader for all of train, who has nothing in test."""
    for table in (BOXES, LABELS):
        path = _rows(table, lambda rows: [rows[0], *([row[0], "R99", *row[2:]] for row in rows[1:])])(demo)
    return path


TABLE_FAULTS: list[tuple[str, str, str, Plant]] = [
    ("latin-1", "CSV101", "a table that is not UTF-8", _bytes(BOXES, lambda b: b.replace(b"No finding", b"N\xf3 finding", 1))),
    ("byte-order-mark", "CSV102", "a byte order mark", _bytes(BOXES, lambda b: b"\xef\xbb\xbf" + b)),
    ("nul", "CSV103", "a NUL in a cell", _bytes(BOXES, lambda b: b[:200] + b"\0" + b[200:])),
    ("semicolons", "CSV104", "cells separated by semicolons", _bytes(BOXES, lambda b: b.replace(b",", b";"))),
    ("ragged-row", "CSV105", "a row with one cell too many", _rows(BOXES, lambda rows: rows[3].append("x"))),
    ("open-quote", "CSV106", "a quote that is not closed", _bytes(BOXES, lambda b: b.replace(b",No finding", b',"No finding', 1))),
    ("column-twice", "CSV107", "a column that stands twice", _rows(BOXES, lambda rows: [[*row, row[1]] for row in rows])),
    ("column-missing", "CSV108", "no class id", _rows(BOXES, lambda rows: [row[:-1] for row in rows])),
    ("column-renamed", "CSV108", "x_min under another name", _rows(BOXES, lambda rows: rows[0].__setitem__(3, "xmin"))),
    ("column-extra", "CSV109", "a column that nobody declared", _rows(BOXES, lambda rows: [[*row, "1"] for row in rows])),
    ("column-order", "CSV110", "two columns exchanged", _rows(BOXES, lambda rows: [[*row[:6], row[7], row[6]] for row in rows])),
    ("empty-table", "CSV111", "a table with a header only", _rows(BOXES, lambda rows: rows[:1])),
    ("mixed-line-ends", "CSV112", "one line that ends in CR LF", _bytes(BOXES, lambda b: b.replace(b"\n", b"\r\n", 1))),
    ("formula", "CSV113", "a cell that a spreadsheet would run", _box(1, lambda _: "=1+1")),
    ("gzip", "CSV114", "a gzip file named .csv", _bytes(BOXES, gzip.compress)),
    ("not-a-number", "CSV116", "a word for a coordinate", _box(3, lambda _: "left")),
    ("long-cell", "CSV117", "a cell of a hundred thousand characters", _box(1, lambda _: "R" * 100_000)),
    ("name-as-reader", "PHI110", "a person's name as the reader", _box(1, lambda _: "Nguyễn Văn An")),
    ("reader-is-a-user", "PHI111", "a user name as the reader", _box(1, lambda _: "reader-one")),
    ("coordinate-missing", "BOX101", "a box without its right side", _box(5, lambda _: "")),
    ("infinite", "BOX103", "an infinite coordinate", _box(5, lambda _: "inf")),
    ("box-outside", "BOX104", "a box beyond its image", _box(5, lambda _: "99999")),
    ("box-negative", "BOX104", "a box left of its image", _box(3, lambda _: "-5.0")),
    ("box-inverted", "BOX105", "a box whose sides are exchanged", _rows(BOXES, lambda rows: (lambda r: r.__setitem__(slice(3, 7), [r[5], r[4], r[3], r[6]]))(first_box(rows)))),
    ("tiny-box", "BOX106", "a box of one pixel", _rows(BOXES, lambda rows: first_box(rows).__setitem__(slice(3, 7), ["10", "10", "11", "11"]))),
    ("whole-image-box", "BOX107", "a box around the whole image", _whole_image),
    ("box-twice", "BOX108", "the same box twice", _rows(BOXES, lambda rows: [*rows, first_box(rows)])),
    ("box-nearly-twice", "BOX109", "nearly the same box twice", _rows(BOXES, lambda rows: [*rows, [*first_box(rows)[:3], f"{float(first_box(rows)[3]) + 0.1:.3f}", *first_box(rows)[4:]]])),
    ("class-unknown", "BOX110", "a class with a slip of the pen", _box(2, lambda name: name[:-1])),
    ("class-id", "BOX111", "a class id of another class", _box(7, lambda number: str(int(number) + 1))),
    ("global-in-boxes", "BOX112", "a global label as a box", _box(2, lambda _: "Pneumonia")),
    ("placeholder-box", "BOX113", "a placeholder with coordinates", _rows(BOXES, lambda rows: first_placeholder(rows).__setitem__(slice(3, 7), ["1", "1", "50", "50"]))),
    ("placeholder-beside", "BOX114", "a placeholder beside a box", _rows(BOXES, lambda rows: [*rows, [*first_box(rows)[:2], *first_placeholder(rows)[2:]]])),
    ("foreign-id", "LAB101", "an image id of another form", _box(0, lambda _: "image 1")),
    ("label-2", "LAB102", "a label that is 2", _label(4, "2")),
    ("image-twice", "LAB103", "an image twice in the label table", _rows(LABELS, lambda rows: [*rows, rows[1]])),
    ("labels-without-image", "LAB105", "labels of an image that is not there", _rows(LABELS, lambda rows: [*rows, ["0" * 32, *rows[1][1:]]])),
    ("boxes-without-image", "LAB106", "boxes of an image that is not there", _box(0, lambda _: "0" * 32)),
    ("no-label", "LAB108", "an image without any global label", _rows(LABELS, _no_label_at_all)),
    ("no-finding-and-more", "LAB109", '"No finding" beside another label', _rows(LABELS, _no_finding_and_more)),
    ("no-finding-with-box", "LAB110", 'a box on an image with "No finding"', lambda demo: (_rows(BOXES, _box_on_a_clear_image)(demo), demo.table_path("train", LABELS))[1]),
    ("local-unlike-boxes", "LAB111", "51 label columns, one of them unlike the boxes", _local_columns),
    ("other-reader", "LAB112", "another reader in the boxes than in the labels", lambda demo: (_box(1, lambda _: "R77")(demo), demo.table_path("train", LABELS))[1]),
    ("two-readers", "LAB113", "two readers for one image", lambda demo: (_rows(BOXES, lambda rows: [*rows, [rows[1][0], "R88", *first_box(rows)[2:]]])(demo), demo.table_path("train", LABELS))[1]),
    ("one-sided-reader", "SPL104", "a reader in one split only", _one_sided),
]  # fmt: skip


def _remove(table: str) -> Plant:
    """Remove the rows of one image from a table; the finding is on the image."""

    def make(demo: Demo) -> Path:
        image_id = demo.images["train"][0].image_id
        _rows(table, lambda rows: [row for row in rows if row[0] != image_id])(demo)
        return demo.image_path("train", 0)

    return make


def _corners(change: Callable[[list[float]], list[float]]) -> Plant:
    """Change the corners of every box."""

    def edit(rows: Rows) -> None:
        for row in rows[1:]:
            if row[3]:
                row[3:7] = [f"{value:.5f}" for value in change([float(cell) for cell in row[3:7]])]

    return _rows(BOXES, edit)


def _fractions(demo: Demo) -> Path:
    sizes = {image.image_id: (image.columns, image.rows) for image in demo.images["train"]}

    def edit(rows: Rows) -> None:
        for row in rows[1:]:
            if row[3]:
                columns, height = sizes[row[0]]
                row[3:7] = [f"{float(cell) / (height if index % 2 else columns):.6f}" for index, cell in enumerate(row[3:7])]

    return _rows(BOXES, edit)(demo)


def _class_ids(difference: int) -> Plant:
    def edit(rows: Rows) -> None:
        for row in rows[1:]:
            if row[3]:
                row[7] = str(int(row[7]) + difference)

    return _rows(BOXES, edit)


def _shifted_column(rows: Rows) -> None:
    boxes = [row for row in rows[1:] if row[3]]
    cells = [row[7] for row in boxes]
    for row, cell in zip(boxes, [cells[-1], *cells[:-1]], strict=True):
        row[7] = cell


def _exchange(first: int, second: int) -> Plant:
    """Exchange the cells of two columns under an unchanged header."""

    def edit(rows: Rows) -> None:
        for row in rows[1:]:
            row[first], row[second] = row[second], row[first]

    return _rows(BOXES, edit)


PATTERN_FAULTS: list[tuple[str, str, str, Plant]] = [
    ("x-y-exchanged", "BOX201", "x for y in every box", _corners(lambda c: [c[1], c[0], c[3], c[2]])),
    ("scaled-up", "BOX202", "coordinates of an image twice as large", _corners(lambda c: [2 * value for value in c])),
    ("scaled-down", "BOX202", "coordinates of an image four times smaller", _corners(lambda c: [value / 4 for value in c])),
    ("fractions", "BOX203", "fractions of the image for pixels", _fractions),
    (
        "width-height",
        "BOX204",
        "width and height for the lower right corner",
        _corners(lambda c: [c[0], c[1], c[2] - c[0], c[3] - c[1]]),
    ),
    ("zero-based", "BOX205", "zero-based class ids", _class_ids(-1)),
    ("two-based", "BOX205", "class ids one too high", _class_ids(1)),
    ("shifted-column", "BOX206", "the class ids shifted by one row", _rows(BOXES, _shifted_column)),
    ("corners-exchanged", "BOX207", "x_min and x_max exchanged", _exchange(3, 5)),
    ("columns-exchanged", "BOX207", "reader and class exchanged", _exchange(1, 2)),
]
"""They show in a candidate of a hundred images or more."""

TABLE_FAULTS += [
    ("image-without-labels", "LAB104", "an image that the label table does not have", _remove(LABELS)),
    ("image-without-boxes", "LAB107", "an image that the boxes table does not have", _remove(BOXES)),
]
