"""Faults that can be planted into a synthetic candidate, one line each: name, the check that must see it, and how.

A fault changes one file, which `plant` returns, so that a test can ask for a finding on this very file.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pedicxr_release.demo import image_faults as image
from pedicxr_release.demo import table_faults as table

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pedicxr_release.demo.write import Demo


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    Attributes
    ----------
    name
        As ``demo --fault`` takes it.
    code
        The check that must see it.
    what
        What it is, for people.
    plant
        Changes the candidate and returns the file that bears the fault.
    """

    name: str
    code: str
    what: str
    plant: Callable[[Demo], Path]


def plant(name: str, demo: Demo) -> str:
    """Plant a fault by name; return the path, relative to the candidate, of the file that bears it.

    Raises
    ------
    KeyError
        When there is no such fault.
    """
    return FAULTS[name].plant(demo).relative_to(demo.root).as_posix()


# -- the folder -----------------------------------------------------------------------------------------------------


def _new_file(name: str, content: bytes = b"x\n") -> Callable[[Demo], Path]:
    def add(demo: Demo) -> Path:
        path = demo.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    return add


def _crosswalk(demo: Demo) -> Path:
    path = demo.root / "encoded_id.csv"
    rows = [f"{planned.image_id},2.25.{int(planned.image_id, 16)}\n" for planned in demo.images["train"]]
    path.write_text("image_id,SOPInstanceUID\n" + "".join(rows), encoding="utf-8")
    return path


def _hidden_crosswalk(demo: Demo) -> Path:
    return _crosswalk(demo).rename(demo.root / "notes.csv")


def _crosswalk_in_document(demo: Demo) -> Path:
    return _crosswalk(demo).rename(demo.root / "README.md")


def _undeclared_subjects(demo: Demo) -> Path:
    return _crosswalk(demo).rename(demo.root / "subject-info.csv")


def _crosswalk_in_split(demo: Demo) -> Path:
    return _crosswalk(demo).rename(demo.root / "train" / "index.csv")


def _folder(demo: Demo) -> Path:
    path = demo.root / "raw"
    path.mkdir()
    return path


def _link(demo: Demo) -> Path:
    path = demo.image_path("train", 0)
    target = demo.root.parent / "link-target"
    target.write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to(target)
    return path


def _pipe(demo: Demo) -> Path:
    path = demo.root / "train" / "data"
    os.mkfifo(path)
    return path


def _remove_table(demo: Demo) -> Path:
    path = demo.table_path("test", "annotations")
    path.unlink()
    return path


def _rename_image(name: str) -> Callable[[Demo], Path]:
    return lambda demo: demo.image_path("train", 0).rename(demo.root / "train" / name)


def _executable(demo: Demo) -> Path:
    path = demo.image_path("train", 0)
    path.chmod(0o755)
    return path


def _upper_case_twin(demo: Demo) -> Path:
    path = demo.image_path("train", 0)
    twin = path.with_name(path.name.upper())
    twin.write_bytes(path.read_bytes())
    return path


def _in_both_splits(demo: Demo) -> Path:
    path = demo.image_path("train", 0)
    path.with_name(path.name).write_bytes(path.read_bytes())
    (demo.root / "test" / path.name).write_bytes(path.read_bytes())
    return path


def _same_pixels(first: tuple[str, int], second: tuple[str, int]) -> Callable[[Demo], Path]:
    def copy(demo: Demo) -> Path:
        image.give_pixels_of(demo, *first, *second)
        return max(demo.image_path(*first), demo.image_path(*second))

    return copy


FAULTS: dict[str, Fault] = {
    fault.name: fault
    for fault in (
        # Files and layout
        Fault("stray-file", "LAY101", "a text file at the root", _new_file("notes.txt")),
        Fault("system-leftover", "LAY101", "a .DS_Store in train", _new_file("train/.DS_Store")),
        Fault("notebook", "LAY101", "a notebook at the root", _new_file("report.ipynb", b"{}")),
        Fault("stray-folder", "LAY102", "a folder that is no split", _folder),
        Fault("crosswalk", "LAY103", "image ids beside original UIDs, by its name", _crosswalk),
        Fault("crosswalk-renamed", "PHI112", "the same under a harmless name", _hidden_crosswalk),
        Fault("crosswalk-among-images", "PHI112", "the same in the folder of a split", _crosswalk_in_split),
        Fault("crosswalk-in-readme", "PHI112", "the same in the README", _crosswalk_in_document),
        Fault("subjects-undeclared", "LAY101", "a subject-info.csv that nobody asked for", _undeclared_subjects),
        Fault("symbolic-link", "LAY104", "an image that is a link", _link),
        Fault("named-pipe", "LAY104", "a named pipe in train", _pipe),
        Fault("empty-image", "LAY105", "an image of no bytes", image.bytes_fault(lambda _: b"")),
        Fault("name-refused", "LAY106", "a file name that PhysioNet refuses", _new_file("data..csv")),
        Fault("raw-name", "LAY107", "an image under another name", _rename_image("image.dcm")),
        Fault("case-twin", "LAY108", "two names that differ in case only", _upper_case_twin),
        Fault("table-missing", "LAY109", "a table that is not there", _remove_table),
        Fault("executable-image", "LAY112", "an image with an executable bit", _executable),
        Fault("name-of-a-person", "PHI109", "an image under a patient's name", _rename_image("NGUYEN_VAN_AN_20200131.dicom")),
        # DICOM structure
        Fault("not-dicom", "DCM101", "an image that is a PNG", image.bytes_fault(lambda _: b"\x89PNG\r\n\x1a\n" + bytes(500))),
        Fault("preamble-used", "DCM102", "a TIFF header in the preamble", image.bytes_fault(lambda b: b"II*\0" + b[4:])),
        Fault("truncated", "DCM103", "an image that was not copied to its end", image.bytes_fault(lambda b: b[: len(b) // 2])),
        Fault("nested-beyond", "DCM104", "an item longer than its sequence", image.raw_element(image.item_beyond)),
        Fault("element-twice", "DCM105", "Rows twice", image.raw_element(lambda: b"\x28\0\x10\0US\x02\0\x00\x02", after=0x00280010)),
        Fault("out-of-order", "DCM106", "an element after one with a larger tag", image.raw_element(lambda: b"\x10\0\x40\0CS\x02\0M ", after=0x00281053)),
        Fault("odd-length", "DCM107", "a value of odd length", image.raw_element(lambda: b"\x28\0\x04\0CS\x0b\0MONOCHROME2", replace=0x00280004)),
        Fault("never-closed", "DCM108", "a sequence that is never closed", image.never_closed),
        Fault("nested-deep", "DCM109", "a hundred nested sequences", image.raw_element(lambda: image.nested(100))),
        Fault("trailing-bytes", "DCM111", "bytes after the last element", image.bytes_fault(lambda b: b + b"\0" * 6)),
        Fault("big-endian", "DCM112", "a transfer syntax that is not allowed", image.big_endian),
        Fault("deflate-bomb", "DCM113", "a data set that inflates without end", image.deflate_bomb),
        Fault("bad-vr", "DCM114", "a value representation that does not exist", image.raw_element(lambda: b"\x18\0\x60\0ZZ\x02\x0060")),
        Fault("reserved-bytes", "DCM115", "text in reserved bytes", image.reserved_bytes),
        Fault("not-retained", "DCM201", "Modality left in", image.element_fault("Modality", "CR")),
        Fault("nested-element", "DCM201", "an element within a sequence", image.sequence_fault),
        Fault("private-element", "DCM202", "a private block", image.private_fault),
        Fault("group-length", "DCM204", "a group length", image.raw_element(lambda: b"\x28\0\0\0UL\x04\0\x10\0\0\0", after=0x00101010)),
        Fault("overlay", "DCM205", "an overlay plane", image.raw_element(lambda: b"\x00\x60\x10\0US\x02\0\x10\0", after=0x00282110)),
        Fault("curve", "DCM205", "a curve", image.raw_element(lambda: b"\x00\x50\x05\0US\x02\0\x02\0", after=0x00282110)),
        Fault("source-ae-title", "DCM206", "the title of the sending system in the file meta group", image.meta_fault(lambda m: setattr(m, "SourceApplicationEntityTitle", "PACS01"))),
        Fault("private-information", "DCM206", "private information in the file meta group", image.private_information),
        Fault("meta-missing", "DCM207", "no implementation class UID", image.meta_fault(lambda m: m.__delattr__("ImplementationClassUID"))),
        Fault("meta-length", "DCM208", "a wrong length of the file meta group", image.bytes_fault(lambda b: b[:140] + struct.pack("<I", 8) + b[144:])),
        Fault("meta-value", "DCM209", "an implementation class UID of the hospital's software", image.meta_fault(lambda m: setattr(m, "ImplementationClassUID", "1.2.3.4.5.6"))),
        Fault("attribute-missing", "DCM301", "no Bits Stored", image.remove_fault("BitsStored")),
        Fault("attribute-empty", "DCM302", "an empty Photometric Interpretation", image.element_fault("PhotometricInterpretation", None)),
        Fault("wrong-vr", "DCM303", "the age as LO", image.element_fault("PatientAge", "003Y", vr="LO")),
        Fault("wrong-multiplicity", "DCM304", "two sexes", image.element_fault("PatientSex", ["M", "F"])),
        Fault("value-refused", "DCM305", "a sex that is no sex", image.element_fault("PatientSex", "N")),
        Fault("value-illegal", "DCM306", "an age without unit", image.element_fault("PatientAge", "0030")),
        Fault("value-implausible", "DCM307", "a child of 2.3 m", image.element_fault("PatientSize", "2.3")),
        # Identity
        Fault("patient-name", "PHI101", "the patient's name", image.element_fault("PatientName", "NGUYEN^VAN^AN")),
        Fault("patient-id", "PHI101", "the patient's number", image.element_fault("PatientID", "BN0012345")),
        Fault("birth-date", "PHI101", "the birth date", image.element_fault("PatientBirthDate", "20180131")),
        Fault("institution", "PHI101", "the hospital's name", image.element_fault("InstitutionName", "General Hospital")),
        Fault("study-date", "PHI101", "the date of the study", image.element_fault("StudyDate", "20200131")),
        Fault("date-element", "PHI102", "a date that the table of the standard does not name", image.raw_element(lambda: b"\x40\0\x01\xdbDT\x0e\x0020200131120000", after=0x00282110)),
        Fault("uid-element", "PHI103", "a UID that the table of the standard does not name", image.element_fault("SOPClassUID", "1.2.840.10008.5.1.4.1.1.1")),
        Fault("uid-in-meta", "PHI103", "a UID of another origin in the file meta group", image.meta_fault(lambda m: setattr(m, "MediaStorageSOPInstanceUID", "1.2.826.0.1.12345.678"))),
        Fault("link-back", "PHI104", "the original UID, whose MD5 is the image id", image.link_back),
        Fault("link-back-in-text", "PHI104", "the original UID in a free text", image.link_back_in_text),
        Fault("age-90", "PHI105", "an age of 90 years", image.element_fault("PatientAge", "090Y")),
        Fault("age-10", "PHI106", "an age of ten years", image.element_fault("PatientAge", "120M")),
        Fault("name-in-sex", "PHI107", "a name in the field for the sex", image.element_fault("PatientSex", "NGUYEN VAN AN")),
        Fault("text-after-end", "PHI108", "a name after the last element", image.bytes_fault(lambda b: b + b"NGUYEN^VAN^AN ")),
        Fault("text-in-preamble", "PHI108", "a telephone number in the preamble", image.bytes_fault(lambda b: b"tel 0912 345 678".ljust(128, b"\0") + b[128:])),
        Fault("text-in-comment", "PHI108", "a name in an element that is not retained", image.element_fault("ImageType", ["DERIVED", "TRAN^THI^BE"])),
        # Pixels
        Fault("pixels-short", "PIX101", "half of the pixels", image.pixels_fault(lambda p: p[: len(p) // 4 * 2])),
        Fault("pixels-long", "PIX101", "text behind the pixels", image.pixels_fault(lambda p: p + b"LE^THI^HOA 20200131 ")),
        Fault("high-bit", "PIX102", "a High Bit that is not Bits Stored less one", image.element_fault("HighBit", 12)),
        Fault("unused-bits", "PIX103", "something in the four unused bits", image.pixels_fault(image.set_unused_bits)),
        Fault("wrong-extreme", "PIX104", "a Largest Image Pixel Value that is not", image.element_fault("LargestImagePixelValue", 77)),
        Fault("jpeg-comment", "PIX105", "a name in a JPEG 2000 comment", image.codestream_fault),
        Fault("rle-surplus", "PIX105", "bytes behind the RLE segments", image.rle_surplus),
        Fault("offset-table", "PIX106", "an offset table that points nowhere", image.offset_table),
        Fault("does-not-decode", "PIX107", "a codestream with its middle lost", image.broken_codestream),
        Fault("other-size", "PIX108", "a codestream of another size", image.other_size),
        Fault("constant", "PIX109", "one value everywhere", image.pixels_fault(lambda p: b"\x10\0" * (len(p) // 2), extremes=True)),
        Fault("few-values", "PIX110", "two values only", image.pixels_fault(lambda p: b"\x10\0\x20\0" * (len(p) // 4) + b"\x10\0" * (len(p) // 2 % 2), extremes=True)),
        Fault("clipped", "PIX111", "half of the pixels at zero", image.pixels_fault(lambda p: bytes(len(p) // 4 * 2) + p[len(p) // 4 * 2 :], extremes=True)),
        Fault("strip", "PIX112", "an image twenty times as wide as high", image.strip_fault),
        # Tables
        *(Fault(name, code, what, make) for name, code, what, make in table.TABLE_FAULTS + table.PATTERN_FAULTS),
        # Splits
        Fault("in-both-splits", "SPL101", "an image in train and test", _in_both_splits),
        Fault("leak", "SPL102", "the pixels of a train image in test", _same_pixels(("test", 0), ("train", 0))),
        Fault("same-pixels", "SPL103", "the pixels of one image in another", _same_pixels(("train", 0), ("train", 1))),
    )
}  # fmt: skip
