"""Hostile files through the whole engine: each is answered with findings, in its time, and the run goes on."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

import pytest
from pedicxr_release.candidate import list_candidate
from pedicxr_release.demo.image_faults import nested
from pedicxr_release.engine import examine_all
from pedicxr_release.examine.image import ExamineOptions
from pedicxr_release.source import open_folder

if TYPE_CHECKING:
    from pedicxr_release.demo.write import Demo
    from pedicxr_release.profile import Profile


def part10(data_set: bytes, transfer_syntax: bytes = b"1.2.840.10008.1.2.1\0") -> bytes:
    element = b"\x02\0\x10\0UI" + struct.pack("<H", len(transfer_syntax)) + transfer_syntax
    return bytes(128) + b"DICM" + b"\x02\0\0\0UL\x04\0" + struct.pack("<I", len(element)) + element + data_set


def us(element: int, value: int) -> bytes:
    return struct.pack("<HH2sHH", 0x0028, element, b"US", 2, value)


def image_header(rows: int, columns: int) -> bytes:
    return (
        us(0x0002, 1) + b"\x28\0\x04\0CS\x0c\0MONOCHROME2 " + us(0x0010, rows) + us(0x0011, columns) + us(0x0100, 16)
        + us(0x0101, 12) + us(0x0102, 11) + us(0x0103, 0)
    )  # fmt: skip


def bomb() -> bytes:
    stream = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    zeros = bytes(1 << 20)
    return b"".join(stream.compress(zeros) for _ in range(1024)) + stream.flush()


ENCAPSULATED = b"\xe0\x7f\x10\0OB\0\0\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\0\0\0\0"
J2K_HUGE = (
    b"\xff\x4f\xff\x51" + struct.pack(">HHIIIIIIIIH", 41, 0, 65535, 65535, 0, 0, 65535, 65535, 0, 0, 1) + b"\x0b\x01\x01"
)
HOSTILE = [
    pytest.param(part10(bomb(), b"1.2.840.10008.1.2.1.99"), "DCM113", id="deflate-bomb"),
    pytest.param(part10(b"\x10\0\x10\0UT\0\0\xfe\xff\xff\xff"), "DCM103", id="four-gigabytes-claimed"),
    pytest.param(part10(nested(20_000)), "DCM109", id="nested-20000"),
    pytest.param(part10(b"\x54\0\x20\x02SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\0\0\0\0" * 200_000), "DCM110", id="item-chain"),
    pytest.param(part10(b"\x54\0\x20\x02SQ\0\0\x20\0\0\0" + b"\xfe\xff\x00\xe0\xff\xff\0\0" + bytes(64)), "DCM104", id="items-overlap"),
    pytest.param(part10(ENCAPSULATED + b"\xfe\xff\x00\xe0\0\0\0\0" * 100_000), "DCM110", id="fragment-chain"),
    pytest.param(part10(image_header(65535, 65535) + b"\xe0\x7f\x10\0OW\0\0\x02\0\0\0ab"), "PIX101", id="huge-image-claimed"),
    pytest.param(
        part10(
            image_header(65535, 65535) + ENCAPSULATED + b"\xfe\xff\x00\xe0" + struct.pack("<I", len(J2K_HUGE) + 1) + J2K_HUGE
            + b"\0" + b"\xfe\xff\xdd\xe0\0\0\0\0",
            b"1.2.840.10008.1.2.4.90",
        ),
        "PIX107",
        id="huge-codestream-claimed",
    ),
    pytest.param(part10(b"\x10\0\x20\0LO\xfe\xff" + b"A" * 0xFFFE), "PHI101", id="one-long-word"),
    pytest.param(part10(b"\x09\0\x20\0LT\xfe\xff" + b"a.b@" * 16383 + b"ab"), "DCM202", id="many-half-addresses"),
    pytest.param(b"\0" * 500_000, "DCM101", id="zeros"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "code"), HOSTILE)
def test_a_hostile_file_is_a_finding_and_the_run_goes_on(demo: Demo, profile: Profile, content: bytes, code: str) -> None:
    victim = demo.image_path("train", 0)
    victim.write_bytes(content)
    path = victim.relative_to(demo.root).as_posix()
    records = examine_all(
        list_candidate(open_folder(demo.root), profile).images(profile), profile, ExamineOptions(), workers=1
    )
    found = {finding.code for record in records if record.path == path for finding in record.findings}
    assert code in found
    assert not {"RUN101", "RUN102", "RUN103", "RUN105"} & found
    assert all(not record.findings for record in records if record.path != path)
