"""Compressed pixel data: what a codestream carries beside pixels, and whether it fills its fragments.

Each scanner yields `Trouble`: the code of a check, the offset in the codestream, and what to say. None of them decodes.
Sources: ITU-T T.81 annex B (JPEG), T.87 annex C (JPEG-LS), T.800 annexes A and I (JPEG 2000), PS3.5 annex G (RLE).
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pedicxr_release.finding import Fact


class Trouble(NamedTuple):
    """One thing that is wrong with a codestream."""

    code: str
    offset: int
    facts: dict[str, Fact]


class Frame(NamedTuple):
    """What a codestream says of its own image: rows, columns, components, bits a sample."""

    rows: int
    columns: int
    components: int
    precision: int


JPEG_APPLICATION = {
    0xE0: "APP0 with a thumbnail or an extension",
    0xE1: "APP1 (Exif or XMP)",
    0xE2: "APP2 (ICC profile)",
    0xED: "APP13 (Photoshop)",
}
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD8)})
_FRAME_MARKERS = frozenset({*range(0xC0, 0xD0), 0xF7}) - {0xC4, 0xC8, 0xCC}
_NEXT_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
_NEXT_MARKER_LS = re.compile(rb"\xff[\x80-\xcf\xd8-\xfe]")
"""In JPEG-LS a byte after FF below 80 is coded data (T.87 A.1)."""


def scan(stream: bytes, transfer_syntax: str) -> tuple[list[Trouble], Frame | None]:
    """Look through a frame's codestream.

    Returns
    -------
    list of Trouble, Frame or None
        What is wrong, and what the codestream's own header says (None for RLE, which has none, or when unreadable).
    """
    scanner = SCANNERS.get(transfer_syntax)
    if scanner is None:
        return [], None
    troubles: list[Trouble] = []
    frames: list[Frame] = []
    try:
        troubles.extend(scanner(stream, frames))
    except (struct.error, IndexError):
        troubles.append(Trouble("PIX106", len(stream), {"reason": "the codestream is cut off"}))
    return troubles, frames[0] if frames else None


def _jpeg(stream: bytes, frames: list[Frame]) -> Iterator[Trouble]:
    if stream[:2] != b"\xff\xd8":
        yield Trouble("PIX106", 0, {"reason": "it does not begin with a JPEG start of image"})
        return
    position, lossless_ls = 2, False
    while position < len(stream):
        if stream[position] != 0xFF:
            following = stream.find(b"\xff", position)
            end = len(stream) if following < 0 else following
            yield Trouble("PIX105", position, {"segment": "bytes between two segments", "length": end - position})
            position = end
            continue
        marker = stream[position + 1]
        if marker == 0xFF:
            position += 1
        elif marker == 0xD9:
            yield from _after_end(stream, position + 2, b"\xff\xd8")
            return
        elif marker in _STANDALONE:
            position += 2
        else:
            (length,) = struct.unpack_from(">H", stream, position + 2)
            yield from _jpeg_segment(marker, stream, position, length)
            lossless_ls |= marker == 0xF7
            if marker in _FRAME_MARKERS:
                precision, rows, columns, components = struct.unpack_from(">BHHB", stream, position + 4)
                frames.append(Frame(rows, columns, components, precision))
            position += 2 + max(length, 2)
            if marker == 0xDA:
                following_marker = (_NEXT_MARKER_LS if lossless_ls else _NEXT_MARKER).search(stream, position)
                position = following_marker.start() if following_marker else len(stream)
    yield Trouble("PIX106", len(stream), {"reason": "the codestream has no end of image"})


def _jpeg_segment(marker: int, stream: bytes, position: int, length: int) -> Iterator[Trouble]:
    payload = stream[position + 4 : position + 2 + length]
    if marker == 0xFE:
        yield Trouble("PIX105", position, {"segment": "JPEG comment (COM)", "length": len(payload)})
    elif 0xE0 <= marker <= 0xEF:
        plain_jfif = marker == 0xE0 and payload[:5] == b"JFIF\0" and len(payload) == 14 and payload[12:14] == b"\0\0"
        plain_adobe = marker == 0xEE and payload[:5] == b"Adobe" and len(payload) == 12
        if not (plain_jfif or plain_adobe):
            name = JPEG_APPLICATION.get(marker, f"APP{marker - 0xE0}")
            yield Trouble("PIX105", position, {"segment": f"JPEG {name}", "length": len(payload)})


def _after_end(stream: bytes, position: int, start_of_image: bytes) -> Iterator[Trouble]:
    """What stands after the end of the image: one pad byte, 00 or FF, is allowed (PS3.5 A.4)."""
    rest = stream[position:]
    if rest in (b"", b"\0", b"\xff"):
        return
    segment = "a second image" if start_of_image in rest else "bytes after the end of the image"
    yield Trouble("PIX105", position, {"segment": segment, "length": len(rest)})


def _jpeg_2000(stream: bytes, frames: list[Frame]) -> Iterator[Trouble]:
    if stream[4:8] == b"jP  ":
        yield Trouble("PIX105", 0, {"segment": "JPEG 2000 file format boxes", "length": len(stream)})
        yield from _jp2_boxes(stream, frames)
    elif stream[:4] == b"\xff\x4f\xff\x51":
        yield from _j2k_codestream(stream, 0, frames)
    else:
        yield Trouble("PIX106", 0, {"reason": "it does not begin with a JPEG 2000 codestream"})


def _jp2_boxes(stream: bytes, frames: list[Frame]) -> Iterator[Trouble]:
    position = 0
    while position + 8 <= len(stream):
        length, kind = struct.unpack_from(">I4s", stream, position)
        header = 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", stream, position + 8)
            header = 16
        if length == 0:
            length = len(stream) - position
        if length < header or position + length > len(stream):
            yield Trouble("PIX106", position, {"reason": "a box is longer than what holds it"})
            return
        if kind in (b"xml ", b"uuid", b"uinf", b"jp2i"):
            name = kind.decode("ascii").strip()
            yield Trouble("PIX105", position, {"segment": f"JPEG 2000 {name} box", "length": length - header})
        elif kind == b"jp2c":
            yield from _j2k_codestream(stream[: position + length], position + header, frames)
        position += length
    if position < len(stream):
        yield Trouble("PIX105", position, {"segment": "bytes after the last box", "length": len(stream) - position})


def _j2k_codestream(stream: bytes, position: int, frames: list[Frame]) -> Iterator[Trouble]:
    position += 2
    while position < len(stream):
        (marker,) = struct.unpack_from(">H", stream, position)
        if marker == 0xFFD9:
            yield from _after_end(stream, position + 2, b"\xff\x4f\xff\x51")
            return
        if marker < 0xFF00:
            yield Trouble("PIX106", position, {"reason": "no marker where one should be"})
            return
        (length,) = struct.unpack_from(">H", stream, position + 2)
        if marker == 0xFF51:
            right, bottom, left, top = struct.unpack_from(">4I", stream, position + 6)
            components, precision = (
                struct.unpack_from(">H", stream, position + 38)[0],
                (stream[position + 40] & 0x7F) + 1,
            )
            frames.append(Frame(bottom - top, right - left, components, precision))
        elif marker == 0xFF64:
            yield Trouble("PIX105", position, {"segment": "JPEG 2000 comment (COM)", "length": max(0, length - 4)})
        elif marker == 0xFF90:
            (part_length,) = struct.unpack_from(">I", stream, position + 6)
            end = position + part_length if part_length else len(stream) - 2
            if not position + 14 <= end <= len(stream):
                yield Trouble("PIX106", position, {"reason": "a tile part is longer than the codestream"})
                return
            yield from _j2k_tile_header(stream, position + 2 + length, end)
            position = end
            continue
        position += 2 + max(length, 2)
    yield Trouble("PIX106", len(stream), {"reason": "the codestream has no end"})


def _j2k_tile_header(stream: bytes, position: int, end: int) -> Iterator[Trouble]:
    """The marker segments of one tile part, up to where its data starts."""
    while position + 4 <= end:
        marker, length = struct.unpack_from(">HH", stream, position)
        if marker == 0xFF93:
            return
        if marker == 0xFF64:
            yield Trouble("PIX105", position, {"segment": "JPEG 2000 comment (COM)", "length": max(0, length - 4)})
        position += 2 + max(length, 2)


def _rle(stream: bytes, _frames: list[Frame]) -> Iterator[Trouble]:
    count, *offsets = struct.unpack_from("<16I", stream)
    used, unused = offsets[:count], offsets[count:]
    if not 1 <= count <= 15 or used[0] != 64 or used != sorted(set(used)) or used[-1] >= len(stream):
        yield Trouble("PIX106", 0, {"reason": "the RLE header does not fit its segments"})
        return
    if any(unused):
        yield Trouble("PIX105", 4 + 4 * count, {"segment": "unused fields of the RLE header", "length": 4 * len(unused)})


def rle_surplus(stream: bytes, pixels: int) -> int:
    """Bytes of an RLE frame's segments that stand behind the coded `pixels` (a frame's rows times columns).

    Each segment codes one byte of every pixel; one pad byte a segment is allowed (PS3.5 G.3.1).
    """
    count, *offsets = struct.unpack_from("<16I", stream)
    surplus = 0
    for start, end in zip(offsets[:count], [*offsets[1:count], len(stream)], strict=True):
        position, decoded = start, 0
        while position < end and decoded < pixels:
            control = stream[position]
            if control < 128:
                decoded += control + 1
                position += control + 2
            else:
                decoded += 257 - control if control > 128 else 0
                position += 2 if control > 128 else 1
        surplus += max(0, end - position - 1)
    return surplus


RLE = "1.2.840.10008.1.2.5"
SCANNERS: dict[str, Callable[[bytes, list[Frame]], Iterator[Trouble]]] = {
    **dict.fromkeys([f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 57, 70, 80, 81)], _jpeg),
    **dict.fromkeys([f"1.2.840.10008.1.2.4.{number}" for number in (90, 91)], _jpeg_2000),
    RLE: _rle,
}
