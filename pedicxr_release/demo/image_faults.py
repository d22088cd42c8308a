"""Faults in a single image file: changes of its bytes, its elements, its pixels."""

from __future__ import annotations

import hashlib
import struct
import warnings
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
from pydicom import config as pydicom_config
from pydicom import dcmread, dcmwrite
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.pixels.utils import compress
from pydicom.uid import UID, ExplicitVRBigEndian, JPEG2000Lossless, RLELossless

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pydicom.dataset import FileDataset, FileMetaDataset

    from pedicxr_release.demo.write import Demo

    Plant = Callable[[Demo], Path]

SPLIT, INDEX = "train", 0
"""The image that bears a fault."""


def _edit(demo: Demo, change: Callable[[FileDataset], object], split: str = SPLIT, index: int = INDEX) -> Path:
    path = demo.image_path(split, index)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data_set = dcmread(path)
        change(data_set)
        dcmwrite(path, data_set, enforce_file_format=False)
    return path


def bytes_fault(change: Callable[[bytes], bytes]) -> Plant:
    """Change the file's bytes."""

    def make(demo: Demo) -> Path:
        path = demo.image_path(SPLIT, INDEX)
        path.write_bytes(change(path.read_bytes()))
        return path

    return make


def element_fault(keyword: str, value: Any, vr: str | None = None) -> Plant:  # noqa: ANN401 (any value, that is the point)
    """Set an element to any value, legal or not."""
    tag = tag_for_keyword(keyword)
    assert tag is not None

    def change(data_set: FileDataset) -> None:
        data_set[tag] = DataElement(
            tag, vr or dictionary_VR(tag).partition(" ")[0], value, validation_mode=pydicom_config.IGNORE
        )

    return lambda demo: _edit(demo, change)


def remove_fault(keyword: str) -> Plant:
    """Remove an element."""
    return lambda demo: _edit(demo, lambda data_set: data_set.__delattr__(keyword))


def meta_fault(change: Callable[[FileMetaDataset], object]) -> Plant:
    """Change the file meta group."""
    return lambda demo: _edit(demo, lambda data_set: change(data_set.file_meta))


def private_information(demo: Demo) -> Path:
    """Private information in the file meta group."""

    def change(meta: FileMetaDataset) -> None:
        meta.PrivateInformationCreatorUID = UID("1.2.3.4")
        meta.PrivateInformation = b"TRAN THI BE "

    return meta_fault(change)(demo)


def sequence_fault(demo: Demo) -> Path:
    """A sequence with an item."""

    def change(data_set: FileDataset) -> None:
        item = Dataset()
        item.CodeMeaning = "Posteroanterior"
        data_set.ViewCodeSequence = [item]

    return _edit(demo, change)


def private_fault(demo: Demo) -> Path:
    """A private block with its creator."""
    return _edit(demo, lambda data_set: data_set.private_block(0x0019, "VENDOR", create=True).add_new(1, "LO", "room 3"))


def _named_by_uid(demo: Demo) -> str:
    """Name an image by the MD5 of a UID; return the UID."""
    uid = "1.2.826.0.1.3680043.10.424242.1"
    planned = demo.images[SPLIT][INDEX]
    before = demo.image_path(SPLIT, INDEX)
    old, planned.image_id = planned.image_id, hashlib.md5(uid.encode(), usedforsecurity=False).hexdigest()
    for table in demo.profile.release.splits[SPLIT].tables:
        file = demo.table_path(SPLIT, table)
        file.write_text(file.read_text(encoding="utf-8").replace(old, planned.image_id), encoding="utf-8")
    before.rename(demo.image_path(SPLIT, INDEX))
    return uid


def link_back(demo: Demo) -> Path:
    """Leave the original UID, which the image is named by, in the file meta group."""
    uid = _named_by_uid(demo)
    return meta_fault(lambda meta: setattr(meta, "MediaStorageSOPInstanceUID", uid))(demo)


def link_back_in_text(demo: Demo) -> Path:
    """Leave the original UID in a free text."""
    uid = _named_by_uid(demo)
    return element_fault("ImageComments", f"copied from {uid}, see there")(demo)


# -- elements that a library would not write ------------------------------------------------------------------------


def raw_element(make: Callable[[], bytes], *, after: int = 0x00101010, replace: int = 0) -> Plant:
    """Put raw bytes behind an element, or in its place."""

    def change(content: bytes) -> bytes:
        start, end = _span(content, replace or after)
        return content[: start if replace else end] + make() + content[end:]

    return bytes_fault(change)


def _span(content: bytes, tag: int) -> tuple[int, int]:
    """Where an element of the explicit little endian data set, or the place where it would stand, begins and ends."""
    position = 144 + struct.unpack_from("<I", content, 140)[0]
    while position < len(content):
        group, element, vr = struct.unpack_from("<HH2s", content, position)
        if vr in (b"OW", b"OB", b"SQ", b"UN"):
            end = position + 12 + int(struct.unpack_from("<I", content, position + 8)[0])
        else:
            end = position + 8 + int(struct.unpack_from("<H", content, position + 6)[0])
        number = group << 16 | element
        if number == tag:
            return position, end
        if number > tag:
            return position, position
        position = end
    return position, position


def item_beyond() -> bytes:
    """A sequence of 8 bytes that holds an item which says it has 100."""
    return b"\x54\0\x20\x02SQ\0\0\x08\0\0\0" + b"\xfe\xff\x00\xe0\x64\0\0\0"


def nested(depth: int) -> bytes:
    """Sequences of undefined length within each other."""
    head = b"\x54\0\x20\x02SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
    tail = b"\xfe\xff\x0d\xe0\0\0\0\0" + b"\xfe\xff\xdd\xe0\0\0\0\0"
    return head * depth + tail * depth


def never_closed(demo: Demo) -> Path:
    """A sequence at the end of the file that nothing closes."""
    return bytes_fault(lambda content: content + b"\xfc\xff\xfc\xffSQ\0\0\xff\xff\xff\xff")(demo)


def reserved_bytes(demo: Demo) -> Path:
    """Text in the two reserved bytes of the pixel data's header."""

    def change(content: bytes) -> bytes:
        start, _ = _span(content, 0x7FE00010)
        return content[: start + 6] + b"Hi" + content[start + 8 :]

    return bytes_fault(change)(demo)


def big_endian(demo: Demo) -> Path:
    """Write the whole data set big endian."""
    path = demo.image_path(SPLIT, INDEX)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data_set = dcmread(path)
        data_set.file_meta.TransferSyntaxUID = UID(ExplicitVRBigEndian)
        data_set.PixelData = np.frombuffer(data_set.PixelData, "<u2").astype(">u2").tobytes()
        dcmwrite(path, data_set, enforce_file_format=False, implicit_vr=False, little_endian=False, force_encoding=True)
    return path


def deflate_bomb(demo: Demo) -> Path:
    """A deflated data set of some hundred kilobytes that inflates to more than the bound."""

    def change(content: bytes) -> bytes:
        end = 144 + struct.unpack_from("<I", content, 140)[0]
        meta = content[:end].replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.1.99")
        meta = meta.replace(b"UI\x14\x001.2.840.10008.1.2.1.99", b"UI\x16\x001.2.840.10008.1.2.1.99")
        meta = meta[:140] + struct.pack("<I", len(meta) - 144) + meta[144:]
        deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
        block = bytes(1 << 20)
        head = b"\xe0\x7f\x10\0OW\0\0" + struct.pack("<I", 300 << 20)
        return meta + deflate.compress(head) + b"".join(deflate.compress(block) for _ in range(300)) + deflate.flush()

    return bytes_fault(change)(demo)


# -- pixels ---------------------------------------------------------------------------------------------------------


def pixels_fault(change: Callable[[bytes], bytes], *, extremes: bool = False) -> Plant:
    """Change the bytes of native pixel data; with `extremes`, keep the declared extremes true."""

    def edit(data_set: FileDataset) -> None:
        data_set.PixelData = change(data_set.PixelData)
        if extremes:
            values = np.frombuffer(data_set.PixelData, "<u2")
            data_set.SmallestImagePixelValue, data_set.LargestImagePixelValue = int(values.min()), int(values.max())

    return lambda demo: _edit(demo, edit)


def set_unused_bits(pixels: bytes) -> bytes:
    """Draw a square into the highest bit, as an old overlay does."""
    values = np.frombuffer(pixels, "<u2").copy()
    values[:1000] |= 0x8000
    return values.tobytes()


def give_pixels_of(demo: Demo, split: str, index: int, other_split: str, other_index: int) -> None:
    """Give one image the pixels of another."""
    source = dcmread(demo.image_path(split, index))

    def change(data_set: FileDataset) -> None:
        keywords = ("Rows", "Columns", "SmallestImagePixelValue", "LargestImagePixelValue", "PixelData")
        for keyword in keywords:
            data_set[keyword] = source[keyword]

    _edit(demo, change, other_split, other_index)


def _codestream(demo: Demo, change: Callable[[bytes], bytes]) -> Path:
    """Compress the image with JPEG 2000, and change the codestream."""

    def edit(data_set: FileDataset) -> None:
        compress(data_set, JPEG2000Lossless, generate_instance_uid=False)
        stream = _only_frame(data_set.PixelData)
        data_set.PixelData = encapsulate([change(stream)])

    return _edit(demo, edit)


def _only_frame(pixel_data: bytes) -> bytes:
    table = struct.unpack_from("<I", pixel_data, 4)[0]
    length = struct.unpack_from("<I", pixel_data, 12 + table)[0]
    return pixel_data[16 + table : 16 + table + length]


def without_comments(stream: bytes) -> bytes:
    """Cut the comment segments out of a JPEG 2000 main header; encoders write their own name there."""
    position = 2
    while stream[position : position + 2] != b"\xff\x90":
        length = 2 + struct.unpack_from(">H", stream, position + 2)[0]
        if stream[position : position + 2] == b"\xff\x64":
            stream = stream[:position] + stream[position + length :]
        else:
            position += length
    return stream


def codestream_fault(demo: Demo) -> Path:
    """A name in a comment segment behind the size segment."""
    text = b"TRAN^THI^BE 20200131"
    comment = b"\xff\x64" + struct.pack(">HH", 4 + len(text), 1) + text

    def change(stream: bytes) -> bytes:
        end = 4 + struct.unpack_from(">H", stream, 4)[0]
        return stream[:end] + comment + stream[end:]

    return _codestream(demo, change)


def broken_codestream(demo: Demo) -> Path:
    """A codestream whose coding style says what no decoder knows."""

    def change(stream: bytes) -> bytes:
        stream = without_comments(stream)
        start = stream.index(b"\xff\x52")
        return stream[: start + 4] + b"\xff" * 8 + stream[start + 12 :]

    return _codestream(demo, change)


def offset_table(demo: Demo) -> Path:
    """An offset table that points into the middle of a fragment."""

    def edit(data_set: FileDataset) -> None:
        compress(data_set, JPEG2000Lossless, generate_instance_uid=False)
        stream = without_comments(_only_frame(data_set.PixelData))
        body = encapsulate([stream], has_bot=False)[8:]
        data_set.PixelData = b"\xfe\xff\x00\xe0\x04\0\0\0\x10\0\0\0" + body

    return _edit(demo, edit)


def rle_surplus(demo: Demo) -> Path:
    """Text behind the last RLE segment."""

    def edit(data_set: FileDataset) -> None:
        compress(data_set, RLELossless, generate_instance_uid=False)
        data_set.PixelData = encapsulate([_only_frame(data_set.PixelData) + b"hidden behind the segments  "])

    return _edit(demo, edit)


def other_size(demo: Demo) -> Path:
    """A codestream with fewer rows than the header says."""

    def edit(data_set: FileDataset) -> None:
        compress(data_set, JPEG2000Lossless, generate_instance_uid=False)
        data_set.PixelData = encapsulate([without_comments(_only_frame(data_set.PixelData))])
        data_set.Rows = data_set.Rows + 1

    return _edit(demo, edit)


def strip_fault(demo: Demo) -> Path:
    """Keep twenty times as many columns as rows."""

    def edit(data_set: FileDataset) -> None:
        rows = data_set.Columns // 20
        data_set.PixelData = data_set.PixelData[: rows * data_set.Columns * 2]
        data_set.Rows = rows
        values = np.frombuffer(data_set.PixelData, "<u2")
        data_set.SmallestImagePixelValue, data_set.LargestImagePixelValue = int(values.min()), int(values.max())

    return _edit(demo, edit)
