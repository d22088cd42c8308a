"""Which data elements may be in a file: the whitelist at any depth, and what kind of trespass each other element is."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from pedicxr_release.finding import Location
from pedicxr_release.identity import identifying_attributes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pedicxr_release.examine.part10 import Element, Walk
    from pedicxr_release.finding import Collector
    from pedicxr_release.identity import IdentityText
    from pedicxr_release.profile import DicomProfile

DATE_VRS = frozenset({"DA", "TM", "DT"})
BINARY_VRS = frozenset({"AT", "FD", "FL", "SL", "SS", "SV", "UL", "US", "UV", "OD", "OF", "OL", "OV", "OW", "SQ"})
UID_IN_TEXT = re.compile(rb"(?<![0-9.])[0-2](?:\.[0-9]{1,40}){4,30}(?![0-9.])")
SHORTEST_UID = len("1.2.3.4.5")
"""Bytes of the shortest text that `UID_IN_TEXT` finds."""
SCANNED_BYTES = 64 << 10
"""How much of one value is searched for identity; it is refused whatever it says."""


def check_elements(walked: Walk, profile: DicomProfile, text: IdentityText, found: Collector) -> None:
    """Report every element that the profile does not name, the identifying ones as such.

    An element nested in a sequence is never retained: Table 2 of the paper lists none.
    """
    for element in walked.meta:
        if element.tag not in profile.meta_by_tag:
            found.add("DCM206", element.location, vr=element.vr, length=element.length)
            _search(element, walked.value(element, SCANNED_BYTES), text, found)
    for element in walked.elements:
        if element.way or element.tag not in profile.by_tag:
            code, facts = trespass(element)
            found.add(code, element.location, vr=element.vr, length=element.length, **facts)
            if code.startswith("DCM"):
                _search(element, walked.value(element, SCANNED_BYTES), text, found)


def trespass(element: Element) -> tuple[str, dict[str, str]]:
    """Classify an element that is not retained: code of the check, and what else there is to say."""
    group = element.tag >> 16
    identifying = identifying_attributes().get(element.tag)
    if group % 2:
        return "DCM202", {}
    if identifying:
        return "PHI101", {"keyword": element.keyword or "an unnamed attribute", "hipaa": identifying.hipaa}
    if 0x6000 <= group <= 0x60FF:
        return "DCM205", {"kind": "overlay"}
    if 0x5000 <= group <= 0x50FF:
        return "DCM205", {"kind": "curve"}
    if element.tag & 0xFFFF == 0:
        return "DCM204", {}
    if element.vr in DATE_VRS:
        return "PHI102", {}
    if element.vr == "UI":
        return "PHI103", {}
    return "DCM201", {"keyword": element.keyword or "an unknown element"}


def _search(element: Element, value: bytes, text: IdentityText, found: Collector) -> None:
    if element.vr in BINARY_VRS:
        return
    for trace in text.traces_in_bytes(value):
        found.add("PHI108", element.location, kind=trace.kind, length=trace.length)


SHORTEST_NAME = 8
"""Hexadecimal digits of a name from which on it is no chance that a digest begins with them."""
STANDARD_ROOT = b"1.2.840.10008."
"""Root of the UIDs that the DICOM standard itself registers: they are of no study and no patient."""


def check_link_back(walked: Walk, image_id: str | None, stem: str, found: Collector) -> None:
    """Report each UID whose digest is, or begins with, the image id or the file's name: the original UID is in the file.

    MD5, SHA-1 and SHA-256 are tried over the UID's text, plain and with a NUL or a space behind it as in a padded value.
    """
    names = {name.lower() for name in (image_id, stem) if name and len(name) >= SHORTEST_NAME}
    if not names:
        return
    starts = {name[:SHORTEST_NAME] for name in names}
    for element, uid in uids(walked):
        if uid.startswith(STANDARD_ROOT):
            continue
        for algorithm, padding, digest in _digests(uid):
            if digest[:SHORTEST_NAME] in starts and any(digest.startswith(name) or name.startswith(digest) for name in names):
                found.add("PHI104", element.location, algorithm=algorithm, padding=padding)


def uids(walked: Walk) -> Iterator[tuple[Element, bytes]]:
    """Every UID in an element at any depth, without padding: the values of VR UI, and what looks like one in any text."""
    for element in (*walked.meta, *walked.elements):
        if not 0 < element.length <= SCANNED_BYTES or element.vr in BINARY_VRS:
            continue
        value = walked.value(element, SCANNED_BYTES)
        if element.vr == "UI":
            yield from ((element, uid) for part in value.split(b"\\") if (uid := part.rstrip(b"\0 ")))
        elif len(value) >= SHORTEST_UID:
            yield from ((element, uid) for uid in UID_IN_TEXT.findall(value))


def _digests(uid: bytes) -> Iterator[tuple[str, str, str]]:
    for padding, padded in (("", uid), (" with a NUL behind it", uid + b"\0"), (" with a space behind it", uid + b" ")):
        yield "MD5", padding, hashlib.md5(padded, usedforsecurity=False).hexdigest()
        yield "SHA-1", padding, hashlib.sha1(padded, usedforsecurity=False).hexdigest()
        yield "SHA-256", padding, hashlib.sha256(padded).hexdigest()


def check_byte_areas(buffer: memoryview, walked: Walk, text: IdentityText, found: Collector) -> None:
    """Search the bytes that no element owns, the preamble and what is left over, for text that looks like identity."""
    account = walked.account
    areas = [(0, 128)] if account.preamble else []
    if account.left_over:
        start = len(buffer) - account.left_over
        areas.append((start, min(len(buffer), start + SCANNED_BYTES)))
    for start, end in areas:
        data = bytes(buffer[start:end])
        if data.strip(b"\0"):
            for trace in text.traces_in_bytes(data):
                found.add("PHI108", Location(offset=start + trace.start), kind=trace.kind, length=trace.length)
