"""One attribute's value: what it says, or why it is refused; the same answer however often it is asked."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pedicxr_release.examine.value import MAXIMUM_BYTES, NUMBERS, TEXT_VRS, Reading, ValueReader
from pedicxr_release.profile import load_profile

if TYPE_CHECKING:
    from pedicxr_release.profile import Profile


def reader(profile: Profile, keyword: str) -> ValueReader:
    attribute = next(a for a in profile.dicom.attributes if a.keyword == keyword)
    return ValueReader(attribute, profile.release.age)


@pytest.mark.parametrize(
    ("keyword", "vr", "data", "values", "codes"),
    [
        pytest.param("Rows", "US", struct.pack("<H", 1640), (1640,), [], id="number"),
        pytest.param("Rows", "US", b"\x01", (), ["DCM306"], id="half-a-number"),
        pytest.param("Rows", "US", struct.pack("<2H", 1640, 2), (), ["DCM304"], id="one-too-many"),
        pytest.param("Rows", "US", struct.pack("<H", 0), (), ["DCM305"], id="below-the-minimum"),
        pytest.param("Rows", "US", struct.pack("<H", 9), (9,), ["DCM307"], id="implausible"),
        pytest.param("PixelSpacing", "DS", b"0.143\\0.1", (0.143, 0.1), [], id="two-decimals"),
        pytest.param("PatientSize", "DS", b"1\\0.5\\0", (), ["DCM304"], id="multiplicity"),
        pytest.param("PatientSize", "DS", b"tall", (), ["PHI107"], id="words-for-a-number"),
        pytest.param("PatientSize", "DS", b"1..5", (), ["DCM306"], id="no-number"),
        pytest.param("PatientSex", "CS", b"F ", ("F",), [], id="padded"),
        pytest.param("PatientSex", "CS", b"FEMALE", (), ["DCM305", "PHI107"], id="a-word-that-is-not-allowed"),
        pytest.param("PatientSex", "CS", b"X ", (), ["DCM305"], id="a-letter-that-is-not-allowed"),
        pytest.param("PatientSex", "CS", b"  ", (), [], id="blank-and-not-required"),
        pytest.param("PhotometricInterpretation", "CS", b"  ", (), ["DCM302"], id="blank-and-required"),
        pytest.param("PatientAge", "AS", b"003Y", ("003Y",), [], id="age"),
        pytest.param("PatientAge", "AS", b"010Y", (), ["PHI106"], id="no-child"),
        pytest.param("PatientAge", "AS", b"090Y", (), ["PHI105"], id="an-age-that-identifies"),
        pytest.param("PatientAge", "AS", b"three", (), ["PHI107"], id="words-for-an-age"),
    ],
)
def test_what_a_value_says(profile: Profile, keyword: str, vr: str, data: bytes, values: tuple, codes: list[str]) -> None:
    asked = reader(profile, keyword)
    first = asked.read(vr, data, big_endian=False)
    assert first.values == values
    assert [code for code, _ in first.troubles] == codes
    assert asked.read(vr, data, big_endian=False) == first


def test_a_value_that_is_refused_is_not_remembered(profile: Profile) -> None:
    asked = reader(profile, "PatientSex")
    for data in (b"F ", b"NGUYEN^VAN^AN ", b"X ", b"M "):
        asked.read("CS", data, big_endian=False)
    assert {data for _, data, _ in asked._remembered} == {b"F ", b"M "}


def test_byte_order_is_part_of_the_question(profile: Profile) -> None:
    asked = reader(profile, "Rows")
    assert asked.read("US", b"\x01\x02", big_endian=False).values == (0x0201,)
    assert asked.read("US", b"\x01\x02", big_endian=True).values == (0x0102,)


def test_a_value_that_is_too_long_is_refused(profile: Profile) -> None:
    assert reader(profile, "Rows").read("US", bytes(MAXIMUM_BYTES + 2), big_endian=False).troubles[0][0] == "DCM306"


PROFILE = load_profile("pedicxr")
READERS = [
    (ValueReader(attribute, PROFILE.release.age), vr)
    for attribute in PROFILE.dicom.attributes
    for vr in sorted(attribute.vrs & {*TEXT_VRS, *NUMBERS})
]


@given(st.sampled_from(READERS), st.binary(max_size=200), st.booleans())
def test_any_bytes_are_answered_and_quoted_nowhere(asked_as: tuple[ValueReader, str], data: bytes, big_endian: bool) -> None:
    asked, vr = asked_as
    reading = asked.read(vr, data, big_endian=big_endian)
    assert isinstance(reading, Reading)
    assert reading.values or reading.troubles or not data.strip(b"\0 \\")
    said = " ".join(str(fact) for _, facts in reading.troubles for fact in facts.values())
    if len(data) > 40:
        assert data.decode("latin-1") not in said
