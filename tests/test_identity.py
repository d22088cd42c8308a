"""Text that looks like identity: found in every form, and not where there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pedicxr_release.identity import IdentityText, identifying_attributes, without_diacritics

if TYPE_CHECKING:
    from pedicxr_release.profile import Profile


@pytest.fixture(scope="module")
def text(profile: Profile) -> IdentityText:
    return IdentityText(profile.identity)


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        pytest.param("Doe^Jane", "person name with carets", id="caret"),
        pytest.param("NGUYEN^VAN^AN", "person name with carets", id="caret-three"),
        pytest.param("JANE DOE", "name in capitals", id="capitals"),
        pytest.param("Nguyễn Văn An", "personal name", id="vietnamese"),
        pytest.param("nguyen thi hoa", "personal name", id="vietnamese-plain-lower"),
        pytest.param("Trần Thị Bé", "personal name", id="vietnamese-tran"),
        pytest.param("Le Van Tam", "personal name", id="short-family-name-with-middle-name"),
        pytest.param("Đỗ Minh", "personal name", id="short-family-name-with-diacritics"),
        pytest.param("a.doctor@hospital.example", "e-mail address", id="e-mail"),
        pytest.param("see https://pacs.example/study/1", "web address", id="url"),
        pytest.param("1.2.826.0.1.3680043.8.498.1", "UID", id="uid"),
        pytest.param("2.25.329800735698586629295641978511506172918", "UID", id="uid-from-uuid"),
        pytest.param("host 192.168.12.7", "IP address", id="ip"),
        pytest.param("20200131", "date", id="dicom-date"),
        pytest.param("20200131120530", "date", id="dicom-datetime"),
        pytest.param("2020-01-31", "date", id="iso-date"),
        pytest.param("31/1/2020", "date", id="date-day-first"),
        pytest.param("tel. 0912 345 678", "telephone number", id="telephone"),
        pytest.param("+84 912 345 678", "telephone number", id="telephone-international"),
        pytest.param("123-45-6789", "social security number", id="ssn"),
        pytest.param("BN0012345", "record number", id="record"),
        pytest.param("MRN: 12345", "record number", id="record-word"),
        pytest.param("mã bệnh nhân 00123", "record number", id="record-vietnamese"),
        pytest.param("12 phường Gia Cẩm", "address", id="address"),
    ],
)
def test_identity_is_found(text: IdentityText, written: str, kind: str) -> None:
    assert kind in {trace.kind for trace in text.traces(written)}
    assert text.traces_in_bytes(b"\0\0" + written.encode() + b"\0\0")


@pytest.mark.parametrize(
    "written",
    [
        "MONOCHROME2", "DERIVED", "ISO_15444_1", "ISO_IR 100", "003Y", "1.2.3.4.x", "0.14\\0.14", "2048.5", "PA", "CHEST",
        "Created by OpenJPEG version 2.5.0", "No finding", "Brocho-pneumonia", "Interstitial lung disease - ILD", "CPAM",
        "R1", "12345.678", "Other lesion", "Posteroanterior", "", "Lung cyst", "Do", "Ho", "Kakadu-v5.2.1", "LEAD Technologies",
        "1955", "7198310",
    ],
)  # fmt: skip
def test_what_is_no_identity_is_left_alone(text: IdentityText, written: str) -> None:
    assert text.traces(written) == []


@given(st.text(max_size=200))
def test_any_text_is_answered(profile: Profile, written: str) -> None:
    for trace in IdentityText(profile.identity).traces(written):
        assert trace.length > 0


def test_text_with_nul_behind_each_letter_is_found(text: IdentityText) -> None:
    assert text.traces_in_bytes("TRAN^THI^BE".encode("utf-16-le"))


def test_diacritics() -> None:
    assert without_diacritics("Nguyễn Đình Đỗ") == "Nguyen Dinh Do"


@pytest.mark.parametrize(
    ("tag", "keyword", "hipaa"),
    [
        (0x00100010, "PatientName", "name"),
        (0x00100020, "PatientID", "medical record number"),
        (0x00100030, "PatientBirthDate", "date"),
        (0x00080080, "InstitutionName", "geographic subdivision"),
        (0x00080050, "AccessionNumber", "medical record number"),
        (0x00080018, "SOPInstanceUID", "unique identifier"),
        (0x00181000, "DeviceSerialNumber", "device identifier"),
        (0x00102154, "PatientTelephoneNumbers", "telephone number"),
        (0x00080090, "ReferringPhysicianName", "name"),
        (0x00101040, "PatientAddress", "geographic subdivision"),
        (0x00081030, "StudyDescription", "free text or other unique code"),
        (0x00204000, "ImageComments", "free text or other unique code"),
    ],
)
def test_a_sample_of_table_e_1_1(tag: int, keyword: str, hipaa: str) -> None:
    attribute = identifying_attributes()[tag]
    assert (attribute.keyword, attribute.hipaa) == (keyword, hipaa)


def test_attributes_that_table_e_1_1_does_not_name() -> None:
    for tag in (0x00280010, 0x00280011, 0x00280100, 0x7FE00010, 0x00080060):
        assert tag not in identifying_attributes()
