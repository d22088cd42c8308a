"""Pixel data: its length, bit depth and extremes, the bits that hide behind the stored ones, its digest.

Native pixels are looked at where they lie in the file; only compressed ones are decoded, by pydicom and its plugins.
Source: DICOM PS3.3 C.7.6.3, PS3.5 section 8.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xxhash
from pydicom.encaps import encapsulate
from pydicom.pixels.decoders.base import get_decoder

from pedicxr_release.examine import codestream
from pedicxr_release.examine.part10 import NATIVE
from pedicxr_release.finding import Location

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pedicxr_release.examine.part10 import Element, Walk
    from pedicxr_release.examine.value import Value
    from pedicxr_release.finding import Collector, Fact
    from pedicxr_release.identity import IdentityText
    from pedicxr_release.profile import PixelExpectation

    Pixels = NDArray[np.unsignedinteger[Any]]

SAMPLE = 1 << 14
"""About how many pixels the share of clipped ones and the number of distinct values are read from."""
MAXIMUM_PIXELS = 1 << 28
"""More pixels than that are not decoded: a header can claim 65,535 × 65,535."""


@dataclass(frozen=True, slots=True)
class Geometry:
    """The attributes that describe the pixels, consistent with each other."""

    rows: int
    columns: int
    frames: int
    samples: int
    allocated: int
    stored: int
    high: int
    signed: bool
    photometric: str

    @property
    def count(self) -> int:
        """Number of samples in all frames."""
        return self.rows * self.columns * self.frames * self.samples


def geometry(values: dict[str, tuple[Value, ...]], location: Location, found: Collector) -> Geometry | None:
    """Take the geometry from the header; None if an attribute is missing or the bit depth contradicts itself."""

    def number(keyword: str, default: int | None = None) -> int:
        value = values.get(keyword, (default,))[0]
        if value is None:
            raise KeyError(keyword)
        return int(value)

    try:
        result = Geometry(
            rows=number("Rows"),
            columns=number("Columns"),
            frames=number("NumberOfFrames", 1),
            samples=number("SamplesPerPixel"),
            allocated=number("BitsAllocated"),
            stored=number("BitsStored"),
            high=number("HighBit"),
            signed=number("PixelRepresentation") == 1,
            photometric=str(values["PhotometricInterpretation"][0]),
        )
    except KeyError:
        return None
    if result.stored > result.allocated:
        found.add("PIX102", location, reason="Bits Stored is more than Bits Allocated")
        return None
    if result.high != result.stored - 1:
        found.add("PIX102", location, reason="High Bit is not Bits Stored less one")
        return None
    return result


@dataclass(frozen=True, slots=True)
class PixelFacts:
    """What is remembered of an image's pixels.

    Attributes
    ----------
    smallest, largest
        Extremes of the stored values.
    digest
        128-bit digest of geometry and stored values, the same for every transfer syntax that loses nothing.
    """

    smallest: int
    largest: int
    digest: bytes


class PixelReader:
    """Looks at the pixels of one file after the other.

    Parameters
    ----------
    expectation
        What the profile expects images to look like.
    text
        Searches the text that a codestream carries.
    """

    def __init__(self, expectation: PixelExpectation, text: IdentityText) -> None:
        self._expectation = expectation
        self._text = text

    def read(self, walked: Walk, values: dict[str, tuple[Value, ...]], found: Collector) -> PixelFacts | None:
        """Check the pixel data; None where it cannot be read as pixels."""
        element = walked.pixel_data
        if element is None or element.length == 0 or (not walked.complete and element is walked.elements[-1]):
            return None  # missing or cut off, and reported as such
        shape = geometry(values, element.location, found)
        if shape is None:
            return None
        encapsulated = walked.fragments is not None
        if encapsulated == (walked.transfer_syntax in NATIVE):
            found.add("PIX106", element.location, reason="encapsulation and transfer syntax do not go together")
            return None
        pixels = self._decoded(walked, shape, found) if encapsulated else self._native(walked, element, shape, found)
        if pixels is None or not pixels.size:
            return None
        return self._facts(pixels, shape, values, element.location, found)

    # -- getting at the pixels ---------------------------------------------------------------------------------------

    def _native(self, walked: Walk, element: Element, shape: Geometry, found: Collector) -> Pixels | None:
        expected = shape.count * shape.allocated // 8
        if element.length != expected + expected % 2:
            code = "PIX101" if element.length < expected or element.length > expected + 1 else None
            if code:
                found.add(code, element.location, expected=expected, found=element.length)
                if element.length > expected:
                    self._search(walked, element.offset + expected, element.length - expected, element.location, found)
                return None
        elif expected % 2 and walked.buffer[element.offset + expected]:
            found.add("PIX113", element.location, length=1)
        dtype = np.dtype(np.uint8 if shape.allocated == 8 else (">u2" if walked.big_endian else "<u2"))
        return np.frombuffer(walked.buffer, dtype, shape.count, element.offset)

    def _search(self, walked: Walk, start: int, length: int, location: Location, found: Collector) -> None:
        surplus = bytes(walked.buffer[start : start + min(length, 64 << 10)])
        for trace in self._text.traces_in_bytes(surplus):
            found.add("PHI108", location, kind=trace.kind, length=trace.length)

    def _decoded(self, walked: Walk, shape: Geometry, found: Collector) -> Pixels | None:
        assert walked.pixel_data is not None
        assert walked.fragments is not None
        location = walked.pixel_data.location
        table, *fragments = walked.fragments or [(0, 0)]
        self._check_offset_table(walked, table, fragments, location, found)
        if not fragments:
            found.add("PIX106", location, reason="there is no fragment")
            return None
        if shape.frames != 1:
            return None
        stream = b"".join(bytes(walked.buffer[offset : offset + length]) for offset, length in fragments)
        troubles, frame = codestream.scan(stream, walked.transfer_syntax)
        if walked.transfer_syntax == codestream.RLE and not any(t.code == "PIX106" for t in troubles):
            surplus = codestream.rle_surplus(stream, shape.rows * shape.columns)
            if surplus > 1:
                facts: dict[str, Fact] = {"segment": "bytes behind the RLE segments", "length": surplus}
                troubles.append(codestream.Trouble("PIX105", len(stream) - surplus, facts))
        for trouble in troubles:
            place = Location(location.tag, location.keyword, offset=fragments[0][0] + trouble.offset)
            found.add(trouble.code, place, **trouble.facts)
            if trouble.code == "PIX105":
                length = int(trouble.facts["length"])
                for trace in self._text.traces_in_bytes(stream[trouble.offset : trouble.offset + 4 + min(length, 64 << 10)]):
                    found.add("PHI108", place, kind=trace.kind, length=trace.length)
        if frame and (frame.rows, frame.columns, frame.components) != (shape.rows, shape.columns, shape.samples):
            found.add("PIX108", location, rows=frame.rows, columns=frame.columns, samples=frame.components)
            return None
        if shape.count > MAXIMUM_PIXELS:
            found.add("PIX107", location, exception="TooManyPixels")
            return None
        return _decode(stream, walked.transfer_syntax, shape, location, found)

    @staticmethod
    def _check_offset_table(
        walked: Walk, table: tuple[int, int], fragments: list[tuple[int, int]], location: Location, found: Collector
    ) -> None:
        offset, length = table
        starts = {fragment - 8 - (offset + length) for fragment, _ in fragments}
        if length % 4:
            found.add("PIX106", location, reason="the offset table's length is not a multiple of four")
            return
        entries = [entry for (entry,) in struct.iter_unpack("<I", walked.buffer[offset : offset + length])]
        if entries and (entries[0] != 0 or not set(entries) <= starts):
            found.add("PIX106", location, reason="the offset table does not point at fragments")

    # -- looking at them ---------------------------------------------------------------------------------------------

    def _facts(
        self,
        pixels: Pixels,
        shape: Geometry,
        values: dict[str, tuple[Value, ...]],
        location: Location,
        found: Collector,
    ) -> PixelFacts:
        largest = int(pixels.max())
        if largest > (1 << shape.stored) - 1:  # a bit above the stored ones is set
            pixels = self._without_unused_bits(pixels, shape, location, found)
            largest = int(pixels.max())
        smallest = int(pixels.min())
        stored: NDArray[np.integer[Any]] = pixels
        if shape.signed:
            shift = shape.allocated - shape.stored
            signed = pixels.astype(f"=u{shape.allocated // 8}").view(f"=i{shape.allocated // 8}")
            stored = (signed << shift) >> shift
            smallest, largest = int(stored.min()), int(stored.max())
        for keyword, actual in (("SmallestImagePixelValue", smallest), ("LargestImagePixelValue", largest)):
            declared = values.get(keyword)
            if declared and int(declared[0]) not in (actual, actual & 0xFFFF):
                found.add("PIX104", location, keyword=keyword)
        self._check_appearance(stored, shape, smallest, largest, location, found)
        digest = xxhash.xxh3_128(struct.pack("<4I", shape.rows, shape.columns, shape.frames, shape.samples))
        digest.update(stored.astype(stored.dtype.newbyteorder("<"), copy=False).data)
        return PixelFacts(smallest, largest, digest.digest())

    @staticmethod
    def _without_unused_bits(pixels: Pixels, shape: Geometry, location: Location, found: Collector) -> Pixels:
        """Report bits above the stored ones, where overlays and text can hide; return the pixels without them."""
        mask = (1 << shape.stored) - 1
        unused = ((1 << shape.allocated) - 1) ^ mask
        above = pixels & pixels.dtype.type(unused)
        if shape.signed:  # a negative value's sign may be extended over the unused bits
            sign = np.where(pixels & (1 << (shape.stored - 1)), unused, 0).astype(pixels.dtype)
            hidden = int(np.count_nonzero((above != 0) & (above != sign)))
        else:
            hidden = int(np.count_nonzero(above))
        if hidden:
            found.add("PIX103", location, pixels=hidden, bits=shape.allocated - shape.stored)
        return np.bitwise_and(pixels, pixels.dtype.type(mask))

    def _check_appearance(
        self,
        stored: NDArray[np.integer[Any]],
        shape: Geometry,
        smallest: int,
        largest: int,
        location: Location,
        found: Collector,
    ) -> None:
        if smallest == largest:
            found.add("PIX109", location)
            return
        flat = stored.reshape(-1)
        step = max(1, flat.size // SAMPLE) | 1  # odd, so that a sample does not fall into the same columns of every row
        sample = flat[::step]
        counts = np.bincount(sample.astype(np.intp) - smallest, minlength=largest - smallest + 1)
        expected = self._expectation
        distinct = int(np.count_nonzero(counts))
        if distinct < expected.distinct_minimum:
            found.add("PIX110", location, distinct=distinct)
        for at_extreme, name in ((counts[0], "smallest"), (counts[-1], "largest")):
            share = at_extreme / sample.size
            if share > expected.clipped_maximum:
                found.add("PIX111", location, percent=round(100 * float(share)), extreme=name)
        aspect = shape.rows / shape.columns
        if not expected.aspect_minimum <= aspect <= expected.aspect_maximum:
            found.add("PIX112", location, rows=shape.rows, columns=shape.columns)


def _decode(stream: bytes, transfer_syntax: str, shape: Geometry, location: Location, found: Collector) -> Pixels | None:
    described: dict[str, Any] = {
        "rows": shape.rows,
        "columns": shape.columns,
        "number_of_frames": 1,
        "samples_per_pixel": shape.samples,
        "photometric_interpretation": shape.photometric,
        "bits_allocated": shape.allocated,
        "bits_stored": shape.stored,
        "pixel_representation": int(shape.signed),
        "pixel_keyword": "PixelData",
    }
    try:
        pixels, _ = get_decoder(transfer_syntax).as_array(encapsulate([stream]), index=0, raw=True, **described)
    except MemoryError:
        raise
    except BaseException as error:  # noqa: BLE001 (whatever a codec raises is a finding, a panic in Rust included)
        found.add("PIX107", location, exception=type(error).__name__)
        return None
    if pixels.size != shape.count:
        found.add("PIX108", location, rows=pixels.shape[0], columns=pixels.shape[-1], samples=shape.samples)
        return None
    return np.ascontiguousarray(pixels).view(np.uint8 if pixels.dtype.itemsize == 1 else np.uint16)
