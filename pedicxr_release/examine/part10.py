"""The DICOM Part 10 container: preamble, file meta group, element walk, and what stands after the last element.

The walk goes over the file's own memory and copies no pixel. It accounts for every byte: each is part of the preamble, the
file meta group, an element, or the pixel data, or it is reported. Source: DICOM PS3.10 section 7, PS3.5 sections 7 and 10.
"""

from __future__ import annotations

import functools
import struct
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

from pydicom.datadict import dictionary_VR, keyword_for_tag

from pedicxr_release.finding import NOWHERE, Location
from pedicxr_release.profile import tag_text

if TYPE_CHECKING:
    from pedicxr_release.finding import Collector

PIXEL_DATA = 0x7FE00010
TRANSFER_SYNTAX_UID = 0x00020010
META_GROUP_LENGTH = 0x00020000
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
UNDEFINED = 0xFFFFFFFF

IMPLICIT_LITTLE, EXPLICIT_BIG, DEFLATED = "1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"
NATIVE = frozenset({IMPLICIT_LITTLE, "1.2.840.10008.1.2.1", EXPLICIT_BIG, DEFLATED})
"""Transfer syntaxes whose pixel data is not encapsulated."""

LONG_VRS = {vr.encode(): vr for vr in ("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV")}
"""VRs with a reserved field and a four-byte length in explicit VR (PS3.5 table 7.1-1), by their bytes."""
SHORT_VRS = {
    vr.encode(): vr
    for vr in (
        *("AE", "AS", "AT", "CS", "DA", "DS", "DT", "FL", "FD", "IS", "LO"),
        *("LT", "PN", "SH", "SL", "SS", "ST", "TM", "UI", "UL", "US"),
    )
}
VRS = LONG_VRS | SHORT_VRS

MAXIMUM_DEPTH = 16
MAXIMUM_ELEMENTS = 20_000
MAXIMUM_INFLATED = 256 << 20

RESEMBLES = (
    (b"MZ", "a Windows executable"),
    (b"\x7fELF", "a Linux executable"),
    (b"#!", "a script"),
    (b"II*\0", "a TIFF image"),
    (b"MM\0*", "a TIFF image"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip file"),
    (b"<!", "an HTML or XML document"),
    (b"<h", "an HTML document"),
    (b"<?", "an XML document"),
    (b"{", "a JSON document"),
)


@dataclass(slots=True)
class Element:
    """One data element as it stands in the file.

    Attributes
    ----------
    tag, vr
        Its tag number, and its VR as written, or the dictionary's where the syntax writes none.
    header, offset, length
        Where its header and its value start, and the value's length, all in bytes; for an undefined length the length
        of all that stands before the delimiter.
    way
        The sequences above it, outermost first, each with the index of the item.
    """

    tag: int
    vr: str
    header: int
    offset: int
    length: int
    way: tuple[tuple[int, int], ...] = ()

    @property
    def keyword(self) -> str:
        """The DICOM keyword, or an empty string for an element that the dictionary does not know."""
        return dictionary_keyword(self.tag)

    @property
    def location(self) -> Location:
        """Where the element is, for a finding."""
        steps = [f"{tag_text(tag)}[{index}]" for tag, index in self.way]
        return Location(tag=" > ".join([*steps, tag_text(self.tag)]), keyword=self.keyword or None, offset=self.header)


@dataclass(slots=True)
class ByteAccount:
    """How many bytes of a file are what. The parts add up to the file's size."""

    preamble: int = 0
    meta: int = 0
    elements: int = 0
    pixels: int = 0
    left_over: int = 0


@dataclass(slots=True)
class Walk:
    """What the walk over a file saw.

    Attributes
    ----------
    meta, elements
        The elements of the file meta group, and those of the data set at every depth, in the file's order.
    file
        The file's bytes, which the offsets of `meta` count in.
    buffer
        What the offsets of `elements` count in: the file, or the inflated data set of a deflated one.
    pixel_data
        The top-level Pixel Data element.
    fragments
        Offset and length of the items of encapsulated pixel data; the first is the basic offset table.
    complete
        Whether the walk reached the end, so that an absent element is known to be absent.
    """

    file: memoryview
    buffer: memoryview
    meta: list[Element] = field(default_factory=list)
    elements: list[Element] = field(default_factory=list)
    transfer_syntax: str = ""
    pixel_data: Element | None = None
    fragments: list[tuple[int, int]] | None = None
    account: ByteAccount = field(default_factory=ByteAccount)
    complete: bool = False

    def value(self, element: Element, limit: int) -> bytes:
        """The first `limit` bytes of an element's value."""
        source = self.file if element.tag >> 16 == 0x0002 and not element.way else self.buffer
        return bytes(source[element.offset : element.offset + min(element.length, limit)])

    @property
    def big_endian(self) -> bool:
        """Whether numbers of the data set are big endian."""
        return self.transfer_syntax == EXPLICIT_BIG


class _Stop(Exception):  # noqa: N818 (not an error: the walk ends here, the finding says why)
    """The rest of the file cannot be walked."""


@functools.lru_cache(maxsize=4096)
def dictionary_keyword(tag: int) -> str:
    """Keyword of a tag in the DICOM dictionary, repeaters included; empty if unknown."""
    return keyword_for_tag(tag)


@functools.lru_cache(maxsize=4096)
def _implicit_vr(tag: int) -> str:
    if tag & 0xFFFF == 0:
        return "UL"
    try:
        vr = dictionary_VR(tag)
    except KeyError:
        return "UN"
    return "OW" if vr.endswith("OW") else vr.partition(" ")[0]  # PS3.5 annex A.1: OW; US unless the pixels are signed


def resembles(start: bytes) -> str:
    """Say which other format a file's or a preamble's first bytes belong to."""
    return next((name for magic, name in RESEMBLES if start.startswith(magic)), "no known format")


def walk(buffer: memoryview, found: Collector) -> Walk | None:
    """Walk over a whole file.

    Parameters
    ----------
    buffer
        The file's bytes.
    found
        Receives what is wrong with the container.

    Returns
    -------
    Walk or None
        None for a file that holds no DICOM data set at all.
    """
    size = len(buffer)
    if size < 132 or bytes(buffer[128:132]) != b"DICM":
        return _walk_without_preamble(buffer, found)
    result = Walk(buffer, buffer)
    result.account.preamble = 132
    if buffer[:128] != bytes(128):
        start = bytes(buffer[:16])
        used = 128 - bytes(buffer[:128]).count(0)
        found.add("DCM102", Location(offset=0), bytes=used, resembles=resembles(start))
    meta = _Walker(buffer, found, explicit=True, big=False, elements=result.meta)
    position = 132
    try:
        position = meta.file_meta(132)
    except _Stop:
        result.account.meta = meta.reached - 132
        result.account.left_over = size - meta.reached
        return result
    result.account.meta = position - 132
    result.transfer_syntax = _transfer_syntax(buffer, result.meta)
    _walk_data_set(result, position, found)
    return result


def _walk_without_preamble(buffer: memoryview, found: Collector) -> Walk | None:
    """Report what the file is instead; look into it all the same if it seems to be a bare data set."""
    start = bytes(buffer[:16])
    group, element = struct.unpack_from("<HH", start) if len(start) == 16 else (0, 0)
    if group not in (2, 8) or element > 0x20:
        found.add("DCM101", Location(offset=0), resembles=resembles(start))
        return None
    found.add("DCM101", Location(offset=0), resembles="a DICOM data set without preamble")
    explicit = start[4:6] in VRS
    result = Walk(buffer, buffer, transfer_syntax="1.2.840.10008.1.2.1" if explicit else IMPLICIT_LITTLE)
    _walk_data_set(result, 0, found)
    return result


def _walk_data_set(result: Walk, position: int, found: Collector) -> None:
    account, size = result.account, len(result.buffer)
    end = size
    trailing = 0
    if result.transfer_syntax == DEFLATED:
        inflated, trailing = _inflate(result.buffer[position:], found)
        result.buffer = memoryview(inflated)
        account.elements = size - position - trailing
        position, end = 0, len(inflated)
    walker = _Walker(
        result.buffer,
        found,
        explicit=result.transfer_syntax != IMPLICIT_LITTLE,
        big=result.big_endian,
        elements=result.elements,
    )
    start = position
    try:
        reached = walker.data_set(position, end, nested=False, way=())
        result.complete = True
    except _Stop:
        reached = walker.reached
    result.pixel_data = next((e for e in reversed(result.elements) if e.tag == PIXEL_DATA and not e.way), None)
    result.fragments = walker.fragments
    if result.transfer_syntax == DEFLATED:
        account.left_over = trailing
    else:
        account.pixels = result.pixel_data.length if result.pixel_data else 0
        account.elements = reached - start - account.pixels
        account.left_over = size - reached
    if result.complete and account.left_over:
        found.add("DCM111", Location(offset=size - account.left_over), bytes=account.left_over)


def _transfer_syntax(buffer: memoryview, meta: list[Element]) -> str:
    element = next((e for e in meta if e.tag == TRANSFER_SYNTAX_UID), None)
    if element is None:
        return "1.2.840.10008.1.2.1"
    return bytes(buffer[element.offset : element.offset + element.length]).rstrip(b"\0 ").decode("ascii", "replace")


def _inflate(data: memoryview, found: Collector) -> tuple[bytes, int]:
    """Inflate a deflated data set, within a bound; return it and the number of bytes after the stream."""
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        inflated = stream.decompress(data, MAXIMUM_INFLATED)
    except zlib.error:
        found.add("DCM113", NOWHERE, reason="it is not a deflate stream")
        return b"", 0
    if not stream.eof:
        reason = f"it inflates to more than {MAXIMUM_INFLATED >> 20} MiB" if stream.unconsumed_tail else "it is cut off"
        found.add("DCM113", NOWHERE, reason=reason)
    trailing = len(stream.unused_data)
    return inflated, 0 if stream.unused_data == b"\0" else trailing


class _Walker:
    """Steps from element to element; `reached` is how far every byte is accounted for."""

    def __init__(self, buffer: memoryview, found: Collector, *, explicit: bool, big: bool, elements: list[Element]) -> None:
        self.buffer = buffer
        self.found = found
        self.explicit = explicit
        order = ">" if big else "<"
        self.tag = struct.Struct(order + "HH")
        self.head = struct.Struct(order + "HH2sH")
        self.header = self.explicit_header if explicit else self.implicit_header
        self.short = struct.Struct(order + "H")
        self.long = struct.Struct(order + "I")
        self.elements = elements
        self.fragments: list[tuple[int, int]] | None = None
        self.reached = 0

    # -- the file meta group -----------------------------------------------------------------------------------------

    def file_meta(self, position: int) -> int:
        """Walk over group 0002 and return where the data set begins."""
        start, declared, last = position, None, 0
        while position + 8 <= len(self.buffer) and self.short.unpack_from(self.buffer, position)[0] == 0x0002:
            element, position = self.element(position, len(self.buffer), (), last)
            last = element.tag
            if element.tag == META_GROUP_LENGTH and element.length == 4:
                declared = self.long.unpack_from(self.buffer, element.offset)[0]
                start = position
        self.reached = position
        if declared is not None and declared != position - start:
            self.found.add("DCM208", Location(tag="(0002,0000)", offset=132), declared=declared, actual=position - start)
        return position

    # -- data sets and their elements --------------------------------------------------------------------------------

    def data_set(self, position: int, end: int, *, nested: bool, way: tuple[tuple[int, int], ...]) -> int:
        """Walk over a data set up to `end`, or to its delimiter if it is an item of undefined length."""
        if len(way) > MAXIMUM_DEPTH:
            self.stop("DCM109", position, bound=MAXIMUM_DEPTH)
        last = -1
        while position < end:
            if nested and self.peek(position, end) == ITEM_END:
                return self.delimiter(position, end)
            if last == PIXEL_DATA and not way and not self.is_element(position, end):
                break  # what is left over is reported as such
            element, position = self.element(position, end, way, last)
            last = element.tag
        if nested:
            self.stop("DCM108", position, what="an item")
        self.reached = max(self.reached, position)
        return position

    def is_element(self, position: int, end: int) -> bool:
        """Whether the bytes at a position can be an element's header at all."""
        if end - position < 8 or self.peek(position, end) < PIXEL_DATA:
            return False
        return not self.explicit or bytes(self.buffer[position + 4 : position + 6]) in VRS

    def element(self, position: int, end: int, way: tuple[tuple[int, int], ...], last: int) -> tuple[Element, int]:
        """Read one element's header, check its place and form, step over its value."""
        header = position
        tag, vr, length, position = self.header(position, end)
        if tag >> 16 == 0xFFFE:
            self.stop("DCM114", header, reason="a delimiter where an element should start")
        element = Element(tag, vr, header, position, length, way)
        self.elements.append(element)
        if len(self.elements) > MAXIMUM_ELEMENTS:
            self.stop("DCM110", header, bound=MAXIMUM_ELEMENTS)
        if tag == last:
            self.found.add("DCM105", element.location)
        elif tag < last:
            self.found.add("DCM106", element.location)
        position = self.value(element, end)
        if not way:
            self.reached = position
        return element, position

    def value(self, element: Element, end: int) -> int:
        """Step over a value, into it if it is a sequence or encapsulated pixel data."""
        position, length = element.offset, element.length
        if length == UNDEFINED:
            return self.undefined_length(element, end)
        if length > end - position:
            code, missing = (
                ("DCM103", length - (end - position)) if end == len(self.buffer) else ("DCM104", length - (end - position))
            )
            element.length = end - position
            self.reached = max(self.reached, element.header)
            self.found.add(code, element.location, missing=missing)
            raise _Stop
        if length % 2:
            self.found.add("DCM107", element.location, length=length)
        if element.vr == "SQ":
            self.items(element, position, position + length, delimited=False)
        return position + length

    def undefined_length(self, element: Element, end: int) -> int:
        if element.tag == PIXEL_DATA and not element.way:
            position = self.encapsulated(element.offset, end)
        elif element.vr == "SQ":
            position = self.items(element, element.offset, end, delimited=True)
        elif element.vr == "UN":  # PS3.5 section 6.2.2: such a value is a sequence in implicit VR little endian
            inner = _Walker(self.buffer, self.found, explicit=False, big=False, elements=self.elements)
            position = inner.items(element, element.offset, end, delimited=True)
        else:
            self.stop("DCM114", element.header, reason="an undefined length where the VR allows none")
        element.length = position - element.offset
        return position

    def items(self, sequence: Element, position: int, end: int, *, delimited: bool) -> int:
        """Walk over the items of a sequence."""
        index = 0
        while position < end or delimited:
            tag = self.peek(position, end, closing="a sequence")
            if delimited and tag == SEQUENCE_END:
                return self.delimiter(position, end)
            if tag != ITEM:
                self.stop("DCM114", position, reason="something else than an item in a sequence")
            length = self.long.unpack_from(self.buffer, position + 4)[0]
            position += 8
            way = (*sequence.way, (sequence.tag, index))
            if length == UNDEFINED:
                position = self.data_set(position, end, nested=True, way=way)
            else:
                if length > end - position:
                    self.stop("DCM104", position - 8, missing=length - (end - position))
                position = self.data_set(position, position + length, nested=False, way=way)
            index += 1
            if index > MAXIMUM_ELEMENTS:
                self.stop("DCM110", position, bound=MAXIMUM_ELEMENTS)
        return position

    def encapsulated(self, position: int, end: int) -> int:
        """Walk over the fragments of encapsulated pixel data (PS3.5 section A.4)."""
        self.fragments = []
        while True:
            tag = self.peek(position, end, closing="encapsulated pixel data")
            if tag == SEQUENCE_END:
                return self.delimiter(position, end)
            if tag != ITEM:
                self.stop("DCM114", position, reason="something else than an item between the fragments")
            length = self.long.unpack_from(self.buffer, position + 4)[0]
            if length > end - position - 8:
                self.stop("DCM103", position, missing=length - (end - position - 8))
            self.fragments.append((position + 8, length))
            position += 8 + length
            if len(self.fragments) > MAXIMUM_ELEMENTS:
                self.stop("DCM110", position, bound=MAXIMUM_ELEMENTS)

    # -- headers -----------------------------------------------------------------------------------------------------

    def peek(self, position: int, end: int, closing: str = "") -> int:
        """The tag that stands at a position."""
        if end - position < 8:
            if closing and position >= end:
                self.stop("DCM108", position, what=closing)
            self.stop("DCM103", position, missing=8 - (end - position))
        group, element = self.tag.unpack_from(self.buffer, position)
        return int(group << 16 | element)

    def delimiter(self, position: int, end: int) -> int:
        """Step over a delimiter; its length field must be zero."""
        if end - position < 8:
            self.stop("DCM103", position, missing=8 - (end - position))
        if self.long.unpack_from(self.buffer, position + 4)[0]:
            self.found.add("DCM115", Location(offset=position + 4), bytes=4)
        return position + 8

    def explicit_header(self, position: int, end: int) -> tuple[int, str, int, int]:
        """Tag, VR and length of the element at a position, and where its value starts (PS3.5 section 7.1.2)."""
        if end - position < 8:
            self.stop("DCM103", position, missing=8 - (end - position))
        group, number, vr, length = self.head.unpack_from(self.buffer, position)
        tag = group << 16 | number
        if vr in SHORT_VRS:
            return tag, SHORT_VRS[vr], length, position + 8
        if vr not in LONG_VRS:
            self.stop("DCM114", position, reason="a value representation that does not exist")
        if end - position < 12:
            self.stop("DCM103", position, missing=12 - (end - position))
        if length:  # these two bytes are reserved
            self.found.add("DCM115", Location(offset=position + 6), bytes=2)
        return tag, LONG_VRS[vr], self.long.unpack_from(self.buffer, position + 8)[0], position + 12

    def implicit_header(self, position: int, end: int) -> tuple[int, str, int, int]:
        """As `explicit_header`, with the VR that the dictionary gives (PS3.5 section 7.1.3)."""
        tag = self.peek(position, end)
        return tag, _implicit_vr(tag), self.long.unpack_from(self.buffer, position + 4)[0], position + 8

    def stop(self, code: str, offset: int, **facts: str | int) -> NoReturn:
        """Report what makes the rest unreadable, and end the walk."""
        self.found.add(code, Location(offset=offset), **facts)
        raise _Stop
