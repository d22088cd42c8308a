"""Pixels: every allowed transfer syntax decodes, the digest does not depend on it, and nothing hides beside the pixels."""

from __future__ import annotations

import hashlib
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pedicxr_release.demo.image_faults import without_comments
from pedicxr_release.examine.codestream import SCANNERS, rle_surplus, scan
from pedicxr_release.examine.image import ExamineOptions, Examiner
from pedicxr_release.examine.record import ImageFile, ImageRecord
from pydicom import dcmread, dcmwrite
from pydicom.encaps import generate_frames
from pydicom.pixels.utils import compress
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless
from tests.candidates import real, real_files

if TYPE_CHECKING:
    from pathlib import Path

    from pedicxr_release.demo.write import Demo
    from pedicxr_release.profile import Profile


@pytest.fixture(scope="module")
def examiner(profile: Profile) -> Examiner:
    return Examiner(profile, ExamineOptions())


def examine(examiner: Examiner, path: Path) -> ImageRecord:
    return examiner(ImageFile("train/x.dicom", str(path), "train", path.name.partition(".")[0], path.stat().st_size))


def codes(record: ImageRecord) -> set[str]:
    return {finding.code for finding in record.findings}


@pytest.mark.parametrize("uid", [JPEG2000Lossless, RLELossless])
def test_the_digest_does_not_depend_on_the_transfer_syntax(examiner: Examiner, demo: Demo, uid: Any, tmp_path: Path) -> None:
    path = demo.image_path("train", 0)
    plain = examine(examiner, path)
    data_set = dcmread(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        compress(data_set, uid, generate_instance_uid=False)
        dcmwrite(path, data_set, enforce_file_format=False)
    compressed = examine(examiner, path)
    assert plain.pixel_digest == compressed.pixel_digest is not None
    assert (plain.smallest, plain.largest) == (compressed.smallest, compressed.largest)
    assert plain.sha256 != compressed.sha256


@pytest.mark.parametrize(
    "name",
    ["JPEG2000.dcm", "MR_small_jp2klossless.dcm", "RG3_J2KR.dcm", "MR_small_RLE.dcm", "MR_small_jpeg_ls_lossless.dcm", "JPEG-LL.dcm", "JPGExtended.dcm"],
)  # fmt: skip
def test_every_kind_of_codestream_decodes(examiner: Examiner, name: str) -> None:
    """Real files whose attributes this profile would refuse for other reasons."""
    record = examine(examiner, real(name))
    assert not codes(record) & {"PIX107", "PIX108"}
    assert record.pixel_digest


@pytest.mark.parametrize(("plain", "packed"), [("UNCR", "J2KR"), ("UNCI", "J2KI")])
@pytest.mark.parametrize("number", [1, 3])
def test_real_twins_have_the_same_pixels(examiner: Examiner, number: int, plain: str, packed: str) -> None:
    """RG1 and RG3 as JPEG 2000 and decoded to explicit little endian, by another program, as their package ships them."""
    if (number, plain) == (1, "UNCI"):
        pytest.skip("RG1_UNCI is the original of the lossy RG1_J2KI, not its decoded twin")
    first, second = examine(examiner, real(f"RG{number}_{plain}.dcm")), examine(examiner, real(f"RG{number}_{packed}.dcm"))
    assert first.pixel_digest == second.pixel_digest is not None


def test_allowed_compressed_syntaxes_are_all_scanned(profile: Profile) -> None:
    from pedicxr_release.examine.part10 import NATIVE

    assert profile.dicom.transfer_syntax_uids - NATIVE == set(SCANNERS)


def test_a_pad_byte_that_is_used(examiner: Examiner, demo: Demo) -> None:
    path = demo.image_path("train", 0)
    data_set = dcmread(path)
    data_set.BitsAllocated, data_set.BitsStored, data_set.HighBit = 8, 8, 7
    data_set.Rows = data_set.Columns = 201
    pixels = np.arange(201 * 201, dtype=np.uint32).astype(np.uint8)
    data_set.SmallestImagePixelValue, data_set.LargestImagePixelValue = 0, 255
    data_set.PixelData = pixels.tobytes() + b"\0"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dcmwrite(path, data_set, enforce_file_format=False)
        assert not codes(examine(examiner, path)) & {"PIX101", "PIX113"}
        data_set.PixelData = pixels.tobytes() + b"!"
        dcmwrite(path, data_set, enforce_file_format=False)
    assert "PIX113" in codes(examine(examiner, path))


@pytest.mark.parametrize(("signed_value", "hidden"), [(-5, False), (5, False), (None, True)])
def test_sign_extension_is_no_hiding_place(examiner: Examiner, demo: Demo, signed_value: int | None, hidden: bool) -> None:
    path = demo.image_path("train", 0)
    data_set = dcmread(path)
    pixels = np.zeros(data_set.Rows * data_set.Columns, dtype=np.int16)
    pixels[::2] = 100
    pixels[5] = signed_value if signed_value is not None else 0x4005
    data_set.PixelRepresentation = 1
    del data_set.SmallestImagePixelValue, data_set.LargestImagePixelValue
    data_set.PixelData = pixels.astype("<i2").tobytes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dcmwrite(path, data_set, enforce_file_format=False)
    record = examine(examiner, path)
    assert ("PIX103" in codes(record)) == hidden
    if signed_value is not None:
        assert (record.smallest, record.largest) == (min(0, signed_value), 100)


def jpeg(*segments: bytes, tail: bytes = b"") -> bytes:
    frame = b"\xff\xc0\x00\x0b\x08\x00\x10\x00\x10\x01\x01\x11\x00"
    scan_header = b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00"
    return b"\xff\xd8" + b"".join(segments) + frame + scan_header + b"\x12\xff\x00\x34\xff\xd0\x56" + b"\xff\xd9" + tail


def segment(marker: int, payload: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(payload) + 2).to_bytes(2, "big") + payload


JFIF = b"JFIF\0\x01\x01\0\0\x01\0\x01"


@pytest.mark.parametrize(
    ("stream", "says"),
    [
        pytest.param(jpeg(), None, id="bare"),
        pytest.param(jpeg(segment(0xE0, JFIF + b"\0\0")), None, id="jfif"),
        pytest.param(jpeg(segment(0xEE, b"Adobe\0\x64\0\0\0\0\0")), None, id="adobe"),
        pytest.param(jpeg(tail=b"\0"), None, id="pad"),
        pytest.param(jpeg(segment(0xFE, b"TRAN^THI^BE")), "COM", id="comment"),
        pytest.param(jpeg(segment(0xE1, b"Exif\0\0MM")), "APP1", id="exif"),
        pytest.param(jpeg(segment(0xE2, b"ICC_PROFILE\0")), "APP2", id="icc"),
        pytest.param(jpeg(segment(0xED, b"Photoshop")), "APP13", id="photoshop"),
        pytest.param(jpeg(segment(0xE0, JFIF + b"\x01\x01abc")), "thumbnail", id="thumbnail"),
        pytest.param(jpeg(segment(0xE8, b"mrfx")), "APP8", id="app8"),
        pytest.param(jpeg(b"hello"), "between two segments", id="between"),
        pytest.param(jpeg(tail=b"hello"), "after the end", id="after"),
        pytest.param(jpeg(tail=jpeg()), "a second image", id="second-image"),
        pytest.param(jpeg()[:-2], "no end of image", id="no-end"),
        pytest.param(b"GIF89a", "does not begin", id="no-jpeg"),
    ],
)
def test_jpeg_segments(stream: bytes, says: str | None) -> None:
    troubles, _ = scan(stream, "1.2.840.10008.1.2.4.50")
    texts = [str(value) for trouble in troubles for value in trouble.facts.values()]
    assert any(says in text for text in texts) if says else not troubles


def box(kind: bytes, payload: bytes) -> bytes:
    return (8 + len(payload)).to_bytes(4, "big") + kind + payload


@pytest.fixture(scope="module")
def j2k() -> bytes:
    return without_comments(next(generate_frames(dcmread(real("RG3_J2KR.dcm")).PixelData, number_of_frames=1)))


def test_jpeg_2000_codestreams_and_boxes(j2k: bytes) -> None:
    assert scan(j2k, JPEG2000Lossless)[0] == []
    frame = scan(j2k, JPEG2000Lossless)[1]
    assert frame is not None
    assert (frame.rows, frame.columns, frame.components) == (1760, 1760, 1)
    signature = box(b"jP  ", b"\r\n\x87\n")
    file = signature + box(b"ftyp", b"jp2 ") + box(b"xml ", b"<a/>") + box(b"uuid", bytes(20)) + box(b"jp2c", j2k)
    said = " ".join(str(t.facts.get("segment")) for t in scan(file, JPEG2000Lossless)[0])
    assert "xml box" in said
    assert "uuid box" in said
    said = " ".join(str(t.facts.get("segment")) for t in scan(j2k + b"trailing text", JPEG2000Lossless)[0])
    assert "after the end" in said


def test_an_encoders_comment_is_found_and_its_text_is_no_identity(examiner: Examiner) -> None:
    record = examine(examiner, real("RG3_J2KR.dcm"))
    pixels = [f for f in record.findings if f.code in ("PIX105", "PHI108") and f.location.keyword == "PixelData"]
    assert [f.code for f in pixels] == ["PIX105"]


def test_rle_segments_are_walked_to_their_end() -> None:
    header = (1).to_bytes(4, "little") + (64).to_bytes(4, "little") + bytes(56)
    assert rle_surplus(header + b"\xfd\x07\x01\x01\x02", 6) == 0
    assert rle_surplus(header + b"\xfd\x07\x01\x01\x02\0", 6) == 0
    assert rle_surplus(header + b"\xfd\x07\x01\x01\x02\0hidden", 6) == 6


@given(st.sampled_from(sorted(SCANNERS)), st.binary(max_size=300), st.sampled_from([b"", b"\xff\xd8", b"\xff\x4f\xff\x51"]))
def test_any_codestream_is_answered(uid: str, content: bytes, start: bytes) -> None:
    scan(start + content, uid)


def test_big_endian_pixels_are_read_as_what_they_are(examiner: Examiner) -> None:
    names = {path.name for path in real_files()}
    assert {"MR_small.dcm", "MR_small_bigendian.dcm"} <= names
    little, big = examine(examiner, real("MR_small.dcm")), examine(examiner, real("MR_small_bigendian.dcm"))
    assert little.pixel_digest == big.pixel_digest is not None


def test_jpeg_ls_is_decoded_losslessly(examiner: Examiner) -> None:
    assert JPEGLSLossless in SCANNERS
    plain = examine(examiner, real("MR_small.dcm"))
    packed = examine(examiner, real("MR_small_jpeg_ls_lossless.dcm"))
    assert plain.pixel_digest == packed.pixel_digest is not None
    assert hashlib.sha256(real("MR_small.dcm").read_bytes()).digest() == plain.sha256
