"""CSV bytes → typed frames, with findings by line and column.

Form comes first: bytes, encoding, delimiter, header, ragged rows and quoting are settled before any parser guesses. Then
a pandera schema, built from the profile's ``tables/*.yaml``, looks at every cell and reports all faults at once.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pandera.pandas as pa
from pandera.errors import SchemaErrors
from rapidfuzz import fuzz, process

from pedicxr_release.examine.part10 import resembles
from pedicxr_release.finding import TABLE_LIMIT, Collector, Location
from pedicxr_release.identity import IdentityText
from pedicxr_release.profile import CONSENSUS
from pedicxr_release.source import reason

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Categories = Any
    """A `pandas.Categorical` of text: each distinct cell once, in the order of their first rows."""

    from pedicxr_release.finding import Finding
    from pedicxr_release.profile import Column, Profile, TableProfile
    from pedicxr_release.source import Folder

MAXIMUM_CELL = 64 << 10
MAXIMUM_COLUMNS = 4096
SEARCHED_ROWS = 10_000
"""How many rows of an undeclared column are searched for identity; the column is refused whatever it says."""
MAXIMUM_LINE = 8 << 20
MAXIMUM_BYTES = 1 << 30
NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
NOT_FINITE = r"[+-]?(?:inf|infinity|nan)"


@dataclass(slots=True)
class Table:
    """One table of a candidate.

    Attributes
    ----------
    file
        Its path relative to the dataset.
    split, profile
        What the profile declares it as.
    frame
        One row a record that has the right number of cells. Columns are named by role (``image_id``, ``reader``,
        ``class_name``, ``class_id``, ``x_min`` …) or, for labels, by the label's name; ``line`` is the line in the file.
        A table of consensus has `CONSENSUS` for its reader.
        Numbers that are none are NaN. Empty if the table's form did not let it be read.
    labels
        Names of the label columns that are there.
    absent
        Columns of the profile that are not there; nothing more is said of them.
    readable
        Whether `frame` holds what the file says, so that an absent row is known to be absent.
    findings
        What is wrong with the form and with single cells.
    size, sha256
        Bytes of the file, and the digest of what was read.
    """

    file: str
    split: str
    profile: TableProfile
    frame: pd.DataFrame
    labels: tuple[str, ...] = ()
    absent: frozenset[str] = frozenset()
    readable: bool = False
    findings: tuple[Finding, ...] = ()
    size: int = 0
    sha256: bytes | None = None


def read_table(folder: Folder, file: str, profile: Profile) -> Table:
    """Read one declared table of a candidate.

    Parameters
    ----------
    folder
        The dataset's folder.
    file
        The table's name, one of `Profile.table_files`.
    profile
        What a release looks like.
    """
    split, name = profile.table_files()[file]
    declared = profile.tables[name]
    found = Collector(file, limit=TABLE_LIMIT)
    table = Table(file, split, declared, _empty_frame(declared))
    try:
        table.size = folder.size(file)
        if table.size > MAXIMUM_BYTES:
            found.add("CSV118", gib=MAXIMUM_BYTES >> 30)
            data = None
        else:
            data = _read_lines(folder, file, found)
            table.sha256 = hashlib.sha256(data).digest() if data is not None else None
    except OSError as error:
        found.add("LAY113", reason=reason(error))
        data = None
    text = _decode(data, found) if data is not None else None
    if text is not None:
        _fill(table, text, profile, found)
    table.findings = found.findings
    return table


def _empty_frame(declared: TableProfile) -> pd.DataFrame:
    columns = {c.key: pd.Series(dtype="category" if c.type == "string" else "float64") for c in declared.columns}
    if declared.consensus:
        columns["reader"] = pd.Series(dtype="category")
    return pd.DataFrame({"line": pd.Series(dtype="int64"), **columns})


def _read_lines(folder: Folder, name: str, found: Collector) -> bytes | None:
    """Read a table's bytes in bounded memory; None, with a finding, if a line has no end."""
    blocks: list[bytes] = []
    length, number = 0, 1
    with folder.open(name) as file:
        while block := file.read(1 << 20):
            last = block.rfind(b"\n")
            length = length + len(block) if last < 0 else len(block) - last - 1
            if length > MAXIMUM_LINE:
                found.add("CSV117", Location(row=number), limit=MAXIMUM_CELL)
                return None
            number += block.count(b"\n")
            blocks.append(block)
    return b"".join(blocks)


# -- form -----------------------------------------------------------------------------------------------------------


def _decode(data: bytes, found: Collector) -> str | None:
    """Check bytes and encoding; return the text, or None if it is no text."""
    kind = resembles(data[:16])
    if not data.removeprefix(b"\xef\xbb\xbf").strip():
        found.add("CSV111")
        return None
    if kind in ("a ZIP archive", "a gzip file", "a PDF document", "a JPEG image", "a PNG image"):
        found.add("CSV114", resembles=kind)
        return None
    if data.startswith(b"\xef\xbb\xbf"):
        found.add("CSV102", Location(row=1, offset=0))
        data = data[3:]
    elif data.startswith((b"\xff\xfe", b"\xfe\xff")):
        found.add("CSV101", Location(row=1, offset=0))
        return None
    if (nul := data.find(b"\0")) >= 0:
        found.add("CSV103", Location(row=data.count(b"\n", 0, nul) + 1, offset=nul))
        return None
    windows = data.count(b"\r\n")
    if windows and windows != data.count(b"\n"):
        found.add("CSV112", crlf=windows, lf=data.count(b"\n") - windows)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        found.add("CSV101", Location(row=data.count(b"\n", 0, error.start) + 1, offset=error.start))
        return None


def _fill(table: Table, text: str, profile: Profile, found: Collector) -> None:
    header_line = text.partition("\n")[0]
    if "," not in header_line and any(mark in header_line for mark in ";\t|"):
        mark = next(mark for mark in ";\t|" if mark in header_line)
        found.add("CSV104", Location(row=1), delimiter={";": "a semicolon", "\t": "a tab", "|": "a vertical bar"}[mark])
        return
    rows = _rows(text, found)
    if rows is None:
        return
    columns = _match_header(rows.header, table.profile, profile, found)
    _search_undeclared(rows, columns or {}, profile, found)
    if columns is None:
        return
    if not rows.lines.size:
        found.add("CSV111")
        return
    frame = pd.DataFrame({name: pd.Series(rows.columns[position]) for position, name in columns.items()})
    frame.insert(0, "line", rows.lines)
    table.absent = frozenset(column.name for column in table.profile.columns if column.key not in frame)
    table.labels = tuple(name for name in frame.columns if name in _label_names(profile))
    table.frame = _check_cells(frame, table, profile, found)
    table.readable = rows.whole


@dataclass(slots=True)
class _Rows:
    """A table split into rows: its header, the line of each well-formed row, its columns as categories of text."""

    header: list[str]
    lines: NDArray[np.int64]
    columns: list[Categories]
    whole: bool = True
    """Whether every row is there."""


def _rows(text: str, found: Collector) -> _Rows | None:
    """Split the text into rows by RFC 4180; None if there is no header."""
    header_line, _, body = text.partition("\n")
    if not any(mark in text for mark in ('"', "\r", "\ufeff")):  # pandas passes over a byte order mark, others do not
        plain = _plain_rows(header_line, body)
        if plain:
            return plain
    return _any_rows(text, found)


def _plain_rows(header_line: str, body: str) -> _Rows | None:
    """Split rows without quotes, which pandas does fast; None if one of them has not the header's number of cells."""
    header = header_line.split(",")
    data = body.encode()
    cells = np.frombuffer(data, dtype=np.uint8)
    if not cells.size or len(header) > MAXIMUM_COLUMNS:
        return None
    ends = np.flatnonzero(cells == ord("\n"))
    starts = np.concatenate(([0], ends + 1))
    starts = starts[starts < cells.size]
    commas = np.add.reduceat((cells == ord(",")).view(np.uint8), starts, dtype=np.int64)
    widest = int(np.diff(np.append(starts, cells.size)).max())
    if (commas != len(header) - 1).any() or widest > MAXIMUM_CELL or len(header) == 1:
        return None
    frame = pd.read_csv(
        io.BytesIO(data), header=None, names=[str(position) for position in range(len(header))], dtype=object,
        na_filter=False, quoting=csv.QUOTE_NONE, skip_blank_lines=False, engine="c",
    )  # fmt: skip
    lines = np.arange(2, 2 + len(frame), dtype=np.int64)
    return _Rows(
        header, lines, [_as_categories(frame.pop(str(position)).to_numpy(dtype=object)) for position in range(len(header))]
    )


def _as_categories(cells: NDArray[np.object_]) -> Categories:
    codes, distinct = pd.factorize(cells)
    return pd.Categorical.from_codes(codes, pd.Index(distinct, dtype=object), validate=False)


def _any_rows(text: str, found: Collector) -> _Rows | None:
    """Split rows of any form, and report each one that is not well-formed."""
    csv.field_size_limit(MAXIMUM_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    lines: list[int] = []
    cells: list[list[str]] = []
    header: list[str] = []
    whole = True
    previous = 0
    try:
        header = next(reader)
        if len(header) > MAXIMUM_COLUMNS:
            found.add("CSV105", Location(row=1), cells=len(header), columns=MAXIMUM_COLUMNS)
            return None
        cells = [[] for _ in header]
        width, previous = len(header), reader.line_num
        for row in reader:
            if len(row) == width:
                lines.append(previous + 1)
                for column, cell in zip(cells, row, strict=True):
                    column.append(cell)
            else:
                whole = False
                found.add("CSV105", Location(row=previous + 1), cells=len(row), columns=width)
            previous = reader.line_num
    except csv.Error as error:
        if "field limit" in str(error):
            found.add("CSV117", Location(row=previous + 1), limit=MAXIMUM_CELL)
        else:
            found.add("CSV106", Location(row=previous + 1))
        if not header:
            return None
        whole = False
    columns = [_as_categories(np.asarray(column, dtype=object)) for column in cells]
    return _Rows(header, np.asarray(lines, dtype=np.int64), columns, whole)


def _match_header(header: list[str], declared: TableProfile, profile: Profile, found: Collector) -> dict[int, str] | None:
    """Say which position holds which column; None if a needed one is missing.

    The name of a column that the profile does not declare is not shown: a table without header begins with data.
    """
    names = [cell.strip() for cell in header]
    expected = _expected_columns(declared, profile)
    roles = {spelling: column for column in expected for spelling in (column.name, *column.aliases)}
    positions: dict[str, int] = {}
    unknown: list[int] = []
    for position, name in enumerate(names):
        column = roles.get(name)
        if column is None:
            unknown.append(position)
        elif column.name in positions:
            found.add("CSV107", Location(row=1, column=column.name))
        else:
            positions[column.name] = position
    missing = [column for column in expected if column.name not in positions and column.required]
    for column in missing:
        near = process.extractOne(column.name, [names[p] for p in unknown], scorer=fuzz.ratio, score_cutoff=60)
        hint = f"; column {unknown[near[2]] + 1} has a similar name: rename it" if near else ""
        found.add("CSV108", Location(row=1, column=column.name), hint=hint)
    for position in unknown:
        close = process.extractOne(names[position], [column.name for column in missing], scorer=fuzz.ratio, score_cutoff=60)
        hint = f"; its name is close to {close[0]}" if close else ""
        found.add("CSV109", Location(row=1, column=position + 1), hint=hint)
    order = [positions[column.name] for column in expected if column.name in positions and not column.is_local]
    if not missing and order != sorted(order):
        found.add("CSV110", Location(row=1))
    if any(column.role in ("image_id", "class_name") or len(missing) > len(expected) // 2 for column in missing):
        return None
    return {position: next(c.key for c in expected if c.name == name) for name, position in positions.items()}


def _search_undeclared(rows: _Rows, columns: dict[int, str], profile: Profile, found: Collector) -> None:
    """Search columns that nobody declared: beside image ids, a column of UIDs, names or dates makes the table a crosswalk."""
    text = IdentityText(profile.identity)
    for position, cells in enumerate(rows.columns):
        if position in columns:
            continue
        kinds: dict[str, int] = {}
        for line, cell in zip(rows.lines[:SEARCHED_ROWS], cells[:SEARCHED_ROWS], strict=True):
            for trace in text.traces(str(cell)[:4096]):
                kinds[trace.kind] = kinds.get(trace.kind, 0) + 1
                found.add("PHI110", Location(row=int(line), column=position + 1), kind=trace.kind, length=trace.length)
        if kinds:
            found.add("PHI112", Location(row=1, column=position + 1), kind=max(kinds, key=lambda kind: kinds[kind]))


@dataclass(frozen=True, slots=True)
class _Expected:
    name: str
    key: str
    role: str
    required: bool
    aliases: tuple[str, ...] = ()
    is_local: bool = False


def _expected_columns(declared: TableProfile, profile: Profile) -> list[_Expected]:
    """The columns of a table in order: those of its profile, then those of the labels."""
    columns = [_Expected(c.name, c.key, c.role, True, c.aliases) for c in declared.columns]
    if declared.labels:
        for kind, wanted, is_local in (
            (profile.labels.global_, declared.labels.global_, False),
            (profile.labels.local, declared.labels.local, True),
        ):
            if wanted != "absent":
                required, spelled = wanted == "required", declared.labels.spelled
                columns += [
                    _Expected(spelled.get(label.name, label.name), label.name, "label", required, (), is_local)
                    for label in kind
                ]
    return columns


def _label_names(profile: Profile) -> frozenset[str]:
    return frozenset(label.name for label in profile.labels.local + profile.labels.global_)


# -- cells ----------------------------------------------------------------------------------------------------------


def table_schema(columns: list[str], declared: TableProfile, profile: Profile) -> pa.DataFrameSchema:
    """Build the pandera schema of a table whose columns are all text still.

    Each pandera check bears the code of the catalogue's check that it stands for.
    """
    by_key = {column.key: column for column in declared.columns}
    return pa.DataFrameSchema(
        {key: pa.Column(checks=_column_checks(by_key.get(key), profile), nullable=False) for key in columns if key != "line"}
    )


def _column_checks(column: Column | None, profile: Profile) -> list[pa.Check]:
    if column is None:  # a label
        return [_check("LAB102", _unique(lambda cell: cell in ("0", "1"))), _formula()]
    if column.role == "image_id":
        return [_check("LAB101", _unique(lambda cell: profile.known_id(cell) is not None)), _formula()]
    if column.role == "reader":
        return [_check("PHI111", _unique(lambda cell: bool(profile.reader_regex.match(cell)))), _formula()]
    if column.role == "class_name":
        local = {label.name for label in profile.labels.local}
        global_ = {label.name for label in profile.labels.global_}
        placeholder = {profile.tables[name].placeholder for name in profile.tables} - {None}
        return [
            _check("BOX112", _unique(lambda cell: cell not in global_ - placeholder)),
            _check("BOX110", _unique((local | global_ | placeholder).__contains__)),
            _formula(),
        ]
    if column.type == "string":
        return [_formula()] + ([] if column.nullable else [_check("CSV115", _unique(lambda cell: cell != ""))])
    pattern = re.compile(r"[+-]?\d+(?:\.0*)?" if column.type == "integer" else f"(?:{NUMBER}|{NOT_FINITE})", re.IGNORECASE)
    checks = [_check("CSV116", _unique(lambda cell: cell == "" or pattern.fullmatch(cell) is not None))]
    if not column.nullable:
        checks.append(_check("CSV115", _unique(lambda cell: cell != "")))
    if column.type == "number":
        not_finite = re.compile(NOT_FINITE, re.IGNORECASE)
        checks.append(_check("BOX103", _unique(lambda cell: cell[-1:] not in "fFyYnN" or not_finite.fullmatch(cell) is None)))
    return checks


def _check(code: str, function: Callable[[pd.Series], pd.Series]) -> pa.Check:
    return pa.Check(function, name=code, error=code)


def _formula() -> pa.Check:
    """A cell that a spreadsheet would run as a formula when the table is opened in one."""
    return _check("CSV113", _unique(lambda cell: not cell.startswith(("=", "+", "-", "@", "\t", "\r"))))


def _unique(accepts: Callable[[str], bool]) -> Callable[[pd.Series], pd.Series]:
    """Apply a test of one cell to a column, once for each distinct cell."""

    def check(cells: pd.Series) -> pd.Series:
        categories = cells.cat.categories.tolist()
        verdicts = np.fromiter(map(accepts, categories), dtype=bool, count=len(categories))
        return pd.Series(verdicts[cells.cat.codes.to_numpy()], index=cells.index)

    return check


def _check_cells(frame: pd.DataFrame, table: Table, profile: Profile, found: Collector) -> pd.DataFrame:
    """Validate all cells at once; return the frame with its numbers as numbers."""
    names: dict[str, str] = {column.role: column.name for column in table.profile.columns if column.role != "other"}
    names |= table.profile.labels.spelled if table.profile.labels else {}
    suspicious: dict[str, pd.Index] = {}
    try:
        table_schema(list(frame.columns), table.profile, profile).validate(frame, lazy=True)
    except SchemaErrors as errors:
        cases = errors.failure_cases
        lines, image_ids = frame["line"].to_numpy(), frame["image_id"].to_numpy()
        for (code, key), group in cases.groupby(["check", "column"], sort=False):
            rows = group["index"].to_numpy(dtype=np.int64)
            suspicious[str(key)] = suspicious.get(str(key), pd.Index([])).union(pd.Index(rows))
            column = names.get(str(key), str(key))
            hints = _nearest(frame[str(key)].to_numpy(), rows, profile) if code == "BOX110" else {}
            for row in rows:
                facts = {"hint": hints[row]} if code == "BOX110" else {}
                image_id = profile.known_id(image_ids[row])
                found.add(str(code), Location(row=int(lines[row]), column=column), image_id, **facts)
    _search_identity(frame, suspicious, names, profile, found)
    return _typed(frame, table.profile, profile)


def _nearest(cells: np.ndarray, rows: np.ndarray, profile: Profile) -> dict[int, str]:
    """Suggest the label that an unknown class name was meant to be."""
    targets = {
        spelling: label.name
        for label in profile.labels.local + profile.labels.global_
        for spelling in (label.name, label.paper or label.name, *label.aliases)
    }
    hints: dict[str, str] = {}
    for cell in {str(cells[row]) for row in rows}:
        near = process.extractOne(
            cell[:100],
            list(targets),
            scorer=fuzz.ratio,
            score_cutoff=70,
            processor=lambda text: text.casefold().strip(),
        )
        hints[cell] = f"; it is close to {targets[near[0]]}" if near else ""
    return {int(row): hints[str(cells[row])] for row in rows}


def _search_identity(
    frame: pd.DataFrame, suspicious: dict[str, pd.Index], names: dict[str, str], profile: Profile, found: Collector
) -> None:
    """Search the cells that are not what their column allows for text that looks like identity."""
    text = IdentityText(profile.identity)
    lines = frame["line"].to_numpy()
    for key, rows in suspicious.items():
        cells = frame[key].to_numpy()
        traces = {cell: text.traces(cell[:MAXIMUM_CELL]) for cell in {str(cells[row]) for row in rows}}
        for row in rows:
            for trace in traces[str(cells[row])]:
                location = Location(row=int(lines[row]), column=names.get(key, key))
                found.add("PHI110", location, kind=trace.kind, length=trace.length)


def _typed(frame: pd.DataFrame, declared: TableProfile, profile: Profile) -> pd.DataFrame:
    typed = {"line": frame["line"]}
    for column in declared.columns:
        key = column.key
        if key not in frame:
            typed[key] = pd.Series(np.nan, index=frame.index)
        elif column.type == "string":
            typed[key] = frame[key]
        else:
            typed[key] = _numbers(frame[key])
    if declared.consensus:
        typed["reader"] = pd.Series(CONSENSUS, index=frame.index, dtype="category")
    for label in profile.labels.local + profile.labels.global_:
        if declared.labels and label.name in frame:
            cells = frame[label.name].cat
            known = np.asarray([{"0": 0, "1": 1}.get(cell, -1) for cell in cells.categories], dtype=np.int8)
            typed[label.name] = pd.Series(known[cells.codes.to_numpy()], index=frame.index)
    return pd.DataFrame(typed)


def _numbers(cells: pd.Series) -> pd.Series:
    """Numbers of a column of text; NaN for a cell that is empty or none."""
    values = pd.to_numeric(pd.Series(cells.cat.categories, dtype=object), errors="coerce").to_numpy(dtype=np.float64)
    return pd.Series(values[cells.cat.codes.to_numpy()], index=cells.index)
