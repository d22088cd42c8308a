"""The walk accounts for every byte, and never raises."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pedicxr_release.examine.part10 import MAXIMUM_ELEMENTS, walk
from pedicxr_release.finding import Collector
from pydicom import dcmread
from tests.candidates import real, real_files

if TYPE_CHECKING:
    from pathlib import Path

    from pedicxr_release.demo.write import Demo


def codes(content: bytes) -> set[str]:
    found = Collector("x")
    walk(memoryview(content), found)
    return {finding.code for finding in found.findings}


def part10(data_set: bytes, transfer_syntax: bytes = b"1.2.840.10008.1.2.1\0") -> bytes:
    element = b"\x02\0\x10\0UI" + struct.pack("<H", len(transfer_syntax)) + transfer_syntax
    return bytes(128) + b"DICM" + b"\x02\0\0\0UL\x04\0" + struct.pack("<I", len(element)) + element + data_set


@pytest.mark.parametrize("path", real_files(), ids=lambda path: path.name)
def test_every_byte_of_a_real_file_is_accounted_for(path: Path) -> None:
    content = path.read_bytes()
    walked = walk(memoryview(content), Collector("x"))
    if walked:
        account = walked.account
        assert account.preamble + account.meta + account.elements + account.pixels + account.left_over == len(content)


def test_the_walk_sees_what_pydicom_sees() -> None:
    path = real("RG1_UNCI.dcm")
    walked = walk(memoryview(path.read_bytes()), Collector("x"))
    assert walked is not None
    data_set = dcmread(path)
    seen = [(e.tag, e.vr) for e in walked.elements if not e.way]
    assert seen == [(int(e.tag), e.VR) for e in data_set]
    assert [e.tag for e in walked.meta] == [int(e.tag) for e in data_set.file_meta]
    nested = {e.tag for e in walked.elements if e.way}
    assert nested == {int(e.tag) for item in data_set.SourceImageSequence for e in item.iterall()} | {
        int(e.tag) for item in data_set.DerivationCodeSequence for e in item.iterall()
    }


def test_a_clean_file_has_no_findings_and_nothing_left_over(clean_demo: Demo) -> None:
    found = Collector("x")
    walked = walk(memoryview(clean_demo.image_path("train", 0).read_bytes()), found)
    assert not found.findings
    assert walked is not None
    assert walked.complete
    assert walked.account.left_over == 0


@given(st.binary(max_size=400))
def test_any_bytes_are_answered(content: bytes) -> None:
    codes(content)
    codes(bytes(128) + b"DICM" + content)
    codes(part10(content))


@given(st.data())
def test_any_change_of_a_real_file_is_answered(data: st.DataObject) -> None:
    content = bytearray(real("MR_small.dcm").read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, 2000))] = data.draw(st.integers(0, 255))
    codes(bytes(content[: data.draw(st.integers(100, len(content)))]))


def test_too_many_elements_end_the_walk() -> None:
    many = b"".join(struct.pack("<HH2sH", 0x0011, element % 0xFFFF, b"LO", 0) for element in range(MAXIMUM_ELEMENTS + 5))
    assert "DCM110" in codes(part10(many))


@pytest.mark.parametrize(
    ("data_set", "code"),
    [
        pytest.param(b"\x10\0\x10\0PN\xff\xff" + b"A^B", "DCM103", id="length-beyond-the-file"),
        pytest.param(
            b"\x54\0\x20\x02SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff", "DCM108", id="item-never-closed"
        ),
        pytest.param(b"\x54\0\x20\x02SQ\0\0\x08\0\0\0\x10\0\x10\0\0\0\0\0", "DCM114", id="no-item-in-a-sequence"),
        pytest.param(b"\xfe\xff\x00\xe0\0\0\0\0\0\0\0\0", "DCM114", id="delimiter-at-the-top"),
        pytest.param(b"\x10\0\x10\0LO\0\0\x11\0\x10\0OB\0\0\xff\xff\xff\xff", "DCM114", id="undefined-length"),
        pytest.param(
            b"\xe0\x7f\x10\0OB\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\0\0\0", "DCM103", id="fragment-beyond-the-file"
        ),
    ],
)
def test_malformed_data_sets(data_set: bytes, code: str) -> None:
    assert code in codes(part10(data_set))


def test_a_bare_data_set_is_looked_into() -> None:
    found = Collector("x")
    content = real("RG1_UNCI.dcm").read_bytes()
    walked = walk(memoryview(content[132 + 232 :]), found)
    assert found.findings[0].code == "DCM101"
    assert walked is not None
    assert "PatientName" in {element.keyword for element in walked.elements}
