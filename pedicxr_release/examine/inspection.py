"""One file as the person at the terminal wants to see it: every element with its state, the byte account, the findings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pedicxr_release.examine.image import ExamineOptions, Examiner
from pedicxr_release.examine.part10 import walk
from pedicxr_release.examine.record import ImageFile
from pedicxr_release.examine.value import NUMBERS, TEXT_VRS, decode_numbers
from pedicxr_release.finding import Collector

if TYPE_CHECKING:
    from pathlib import Path

    from pedicxr_release.examine.part10 import ByteAccount, Element, Walk
    from pedicxr_release.examine.record import ImageRecord
    from pedicxr_release.profile import Profile

State = Literal["retained", "refused", "not retained", "identifies"]
REVEALED = 64
"""How many characters of a value are revealed."""


@dataclass(frozen=True, slots=True)
class Inspected:
    """One element: where it is, what it is, whether it may be there; its value only where it was asked for."""

    tag: str
    keyword: str
    vr: str
    depth: int
    offset: int
    length: int
    state: State
    value: str | None = None


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a file consists of.

    Attributes
    ----------
    record
        What examine says of it, findings included.
    elements
        Every element of the file meta group and the data set, in the file's order.
    account
        How many bytes are what; None for a file that is no DICOM at all.
    """

    record: ImageRecord
    elements: list[Inspected]
    account: ByteAccount | None


def inspect_file(path: Path, profile: Profile, *, reveal: bool = False) -> Inspection:
    """Look into one file.

    Parameters
    ----------
    path
        The file; its name without the extension is its image id if it has the form of one.
    profile
        What may be in it.
    reveal
        Whether values are taken along. Show them to a person only, and keep them nowhere.

    Raises
    ------
    OSError
        When it cannot be read.
    """
    content = path.read_bytes()
    split = next(iter(profile.release.splits))
    image = ImageFile(path.name, str(path), split, profile.image_id_of(path.name), len(content))
    record = Examiner(profile, ExamineOptions())(image)
    walked = walk(memoryview(content), Collector(path.name))
    if walked is None:
        return Inspection(record, [], None)
    codes: dict[str | None, set[str]] = {}
    for finding in record.findings:
        codes.setdefault(finding.location.tag, set()).add(finding.code)
    elements = [_inspected(element, walked, codes, reveal=reveal) for element in (*walked.meta, *walked.elements)]
    return Inspection(record, elements, walked.account)


def _inspected(element: Element, walked: Walk, codes: dict[str | None, set[str]], *, reveal: bool) -> Inspected:
    location = element.location
    assert location.tag is not None
    return Inspected(
        tag=location.tag,
        keyword=element.keyword,
        vr=element.vr,
        depth=len(element.way),
        offset=element.header,
        length=element.length,
        state=_state(codes.get(location.tag, set())),
        value=_value(element, walked) if reveal else None,
    )


def _state(codes: set[str]) -> State:
    if codes & {"PHI101", "PHI102", "PHI103", "PHI104"}:
        return "identifies"
    if codes & {"DCM201", "DCM202", "DCM204", "DCM205", "DCM206"}:
        return "not retained"
    return "refused" if codes - {"DCM307", "PIX109", "PIX110", "PIX111", "PIX112"} else "retained"


def _value(element: Element, walked: Walk) -> str:
    if element.vr in TEXT_VRS:
        text = walked.value(element, REVEALED + 1).decode("utf-8", "replace").rstrip("\0 ")
        printable = "".join(character if character.isprintable() else "·" for character in text)
        return printable if len(printable) <= REVEALED else printable[:REVEALED] + "…"
    if element.vr in NUMBERS and element.length <= REVEALED:
        numbers = decode_numbers(element.vr, walked.value(element, REVEALED), big_endian=walked.big_endian)
        return "\\".join(map(str, numbers or ()))
    return ""
