"""No value leaks: a distinct secret in every place that can hold text, and none of them in anything that the tool writes."""

from __future__ import annotations

import base64
import csv
import shutil
import subprocess
import sys
import urllib.parse
import warnings
from typing import TYPE_CHECKING

import pytest
from pedicxr_release.demo.image_faults import _only_frame
from pedicxr_release.demo.write import write_demo
from pydicom import config as pydicom_config
from pydicom import dcmread, dcmwrite
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.pixels.utils import compress
from pydicom.uid import JPEG2000Lossless

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pedicxr_release.profile import Profile
    from pydicom.dataset import FileDataset

KEYWORDS = [
    "PatientName", "PatientID", "PatientBirthDate", "PatientAddress", "PatientTelephoneNumbers", "InstitutionName", "StudyDate",
    "AccessionNumber", "ReferringPhysicianName", "ImageComments", "StudyInstanceUID", "PatientSex", "PatientAge", "PatientSize",
    "PhotometricInterpretation", "PixelSpacing", "LossyImageCompression", "WindowCenter", "Modality", "RequestAttributesSequence",
    "EncapsulatedDocument", "PixelAspectRatio", "NumberOfFrames", "LossyImageCompressionMethod",
]  # fmt: skip
META = ["SourceApplicationEntityTitle", "ImplementationVersionName", "MediaStorageSOPInstanceUID", "ImplementationClassUID"]


class Secrets:
    """Makes distinct secrets that look like a name and a number at once."""

    def __init__(self) -> None:
        self.made: list[str] = []

    def __call__(self) -> str:
        secret = f"SQXJ{len(self.made):03d}ZWV"
        self.made.append(secret)
        return secret


def plant_everywhere(root: Path, profile: Profile) -> list[str]:
    """One secret an image, in every element, area, name and cell."""
    secrets = Secrets()
    demo = write_demo(root, profile, 60, 1, downscale=8)
    places: list[Callable[[FileDataset, str], None]] = []

    def element(keyword: str) -> Callable[[FileDataset, str], None]:
        def plant(data_set: FileDataset, secret: str) -> None:
            tag = tag_for_keyword(keyword)
            assert tag is not None
            vr = dictionary_VR(tag)
            if vr == "SQ":
                item = Dataset()
                item.add(DataElement("ScheduledProcedureStepDescription", "LO", secret))
                data_set[tag] = DataElement(tag, "SQ", [item])
            elif vr == "OB":
                data_set[tag] = DataElement(tag, "OB", secret.encode() + b"\0" * (len(secret) % 2))
            else:
                vr = vr if vr in ("PN", "LO", "DA", "SH", "LT", "UI", "CS", "AS", "ST") else "LO"
                data_set[tag] = DataElement(tag, vr, secret, validation_mode=pydicom_config.IGNORE)

        return plant

    def meta(keyword: str) -> Callable[[FileDataset, str], None]:
        def plant(data_set: FileDataset, secret: str) -> None:
            tag = tag_for_keyword(keyword)
            assert tag is not None
            data_set.file_meta.add(DataElement(tag, dictionary_VR(tag), secret, validation_mode=pydicom_config.IGNORE))

        return plant

    def private(data_set: FileDataset, secret: str) -> None:
        data_set.private_block(0x0029, secret, create=True).add_new(1, "UN", secret.encode())

    def comment(data_set: FileDataset, secret: str) -> None:
        compress(data_set, JPEG2000Lossless, generate_instance_uid=False)
        stream = _only_frame(data_set.PixelData)
        end = 4 + int.from_bytes(stream[4:6], "big")
        segment = b"\xff\x64" + (4 + len(secret)).to_bytes(2, "big") + b"\0\x01" + secret.encode()
        data_set.PixelData = encapsulate([stream[:end] + segment + stream[end:]])

    def surplus(data_set: FileDataset, secret: str) -> None:
        data_set.PixelData += secret.encode() + b"\0" * (len(secret) % 2)

    places = [*map(element, KEYWORDS), *map(meta, META), private, comment, surplus]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for index, place in enumerate(places):
            path = demo.image_path("train", index)
            data_set = dcmread(path)
            place(data_set, secrets())
            dcmwrite(path, data_set, enforce_file_format=False)
    count = len(places)
    for extra, change in enumerate(
        (
            lambda content: secrets().encode().ljust(128, b"\0") + content[128:],
            lambda content: content + secrets().encode(),
            lambda content: secrets().encode() + content,
            lambda content: content[:400] + secrets().encode() + content[400:],
        )
    ):
        path = demo.image_path("train", count + extra)
        path.write_bytes(change(path.read_bytes()))
    _plant_names(demo.root, demo.image_path("train", count + 5), secrets)
    for table in ("annotations", "image_labels"):
        _plant_cells(demo.table_path("train", table), secrets)
    (demo.root / "README.md").write_text(secrets(), encoding="utf-8")
    return secrets.made


def _plant_names(root: Path, image: Path, secrets: Secrets) -> None:
    (root / f"{secrets()}.txt").write_text(secrets(), encoding="utf-8")
    (root / "train" / f"{secrets()}.dicom").write_bytes(image.read_bytes())
    folder = root / secrets()
    folder.mkdir()
    (folder / secrets()).write_text(f"{image.stem},{secrets()},1.2.826.0.1.99.1.2", encoding="utf-8")
    (root / "test" / secrets()).symlink_to(root / "nowhere")


def _plant_cells(path: Path, secrets: Secrets) -> None:
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    for column in range(len(rows[0])):
        rows[1 + column][column] = secrets()
    rows[0].append(secrets())
    for row in rows[1:]:
        row.append(secrets())
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)


def spellings(secret: str) -> set[bytes]:
    raw = secret.encode()
    inner = [base64.b64encode(b"x" * shift + raw)[2 * shift : -4] for shift in range(3)]
    percent = "".join(f"%{byte:02x}" for byte in raw)
    return {
        raw,
        raw.lower(),
        raw.hex().encode(),
        raw.hex(" ").encode(),
        percent.encode(),
        urllib.parse.quote(secret).encode(),
        *inner,
    }


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory, profile: Profile) -> tuple[Path, list[str]]:
    root = tmp_path_factory.mktemp("secrets") / "candidate"
    return root, plant_everywhere(root, profile)


COMMANDS = [
    pytest.param(["validate", "{root}", "-v", "--format", "json={out}/report.json", "--format", "text"], id="validate"),
    pytest.param(["validate", "{root}", "--format", "json", "--with-evidence", "--workers", "1"], id="validate-json"),
    pytest.param(
        [
            "validate",
            "{root}",
            "--format",
            "html={out}/r.html",
            "--format",
            "junit={out}/r.xml",
            "--format",
            "sarif={out}/r.sarif",
            "--format",
            "markdown={out}/r.md",
            "--format",
            "github",
        ],
        id="validate-formats",
    ),
    pytest.param(
        [
            "validate",
            "{root}",
            "--save-evidence",
            "{out}/e.jsonl",
            "--record-exceptions",
            "{out}/x.yaml",
            "--data-docs",
            "{out}/d",
        ],
        id="validate-files",
    ),
    pytest.param(["verify", "{root}", "-v"], id="verify"),
    pytest.param(["stats", "{root}", "--by", "reader", "--figures", "{out}/figures"], id="stats-figures"),
    pytest.param(["stats", "{root}"], id="stats"),
    pytest.param(["stats", "{root}", "--format", "json"], id="stats-json"),
    pytest.param(["package", "{root}", "{out}/package", "-v"], id="package"),
]


@pytest.mark.parametrize("arguments", COMMANDS)
def test_no_secret_is_in_anything_that_is_written(
    planted: tuple[Path, list[str]], arguments: list[str], tmp_path: Path
) -> None:
    root, secrets = planted
    filled = [argument.format(root=root, out=tmp_path) for argument in arguments]
    script = "import logging; logging.basicConfig(level=logging.DEBUG); from pedicxr_release.cli import main; main()"
    environment = {"PYTHONWARNINGS": "always", "PATH": "/usr/bin:/bin", "TMPDIR": str(tmp_path), "HOME": str(tmp_path)}
    result = subprocess.run(
        [sys.executable, "-X", "dev", "-c", script, *filled], capture_output=True, env=environment, check=False, cwd=tmp_path
    )
    assert result.returncode in (0, 1), result.stderr.decode()[-500:]
    written = result.stdout + result.stderr + b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert len(written) > 1000
    leaked = [secret for secret in secrets if any(spelling in written for spelling in spellings(secret))]
    assert not leaked
    names = b"\n".join(str(path.relative_to(tmp_path)).encode() for path in tmp_path.rglob("*"))
    assert not [secret for secret in secrets if secret.encode() in names]


def test_inspect_shows_no_value_either(planted: tuple[Path, list[str]]) -> None:
    root, secrets = planted
    for path in sorted((root / "train").iterdir())[:40]:
        if any(secret in path.name for secret in secrets):
            continue
        command = [sys.executable, "-c", "from pedicxr_release.cli import main; main()", "inspect", str(path)]
        if path.stat().st_size and path == min((root / "train").iterdir()):
            result = subprocess.run(command, capture_output=True, check=False)
            assert result.returncode in (0, 1)
        from click.testing import CliRunner
        from pedicxr_release.cli import main

        output = CliRunner().invoke(main, ["inspect", str(path)]).output
        assert not [secret for secret in secrets if secret in output]


def test_reveal_is_for_a_terminal_only(planted: tuple[Path, list[str]]) -> None:
    from click.testing import CliRunner
    from pedicxr_release.cli import main

    path = next(iter(sorted((planted[0] / "train").iterdir())))
    result = CliRunner().invoke(main, ["inspect", str(path), "--reveal"])
    assert result.exit_code == 2
    assert "only to a terminal" in result.stderr
    assert not result.stdout


@pytest.mark.skipif(shutil.which("script") is None, reason="script(1) gives a terminal")
def test_reveal_shows_values_on_a_terminal(profile: Profile, tmp_path: Path) -> None:
    from pedicxr_release.demo.faults import plant

    demo = write_demo(tmp_path / "c", profile, 6, 1, downscale=8)
    path = demo.root / plant("patient-name", demo)
    command = f"{sys.executable} -c 'from pedicxr_release.cli import main; main()' inspect {path} --reveal"
    result = subprocess.run(["script", "-qec", command, "/dev/null"], capture_output=True, text=True, check=False)
    assert "VALUES ARE SHOWN" in result.stdout
    assert "NGUYEN^VAN" in result.stdout


def test_a_thousand_clean_files_have_no_finding_of_identity(tmp_path: Path, profile: Profile) -> None:
    from pedicxr_release.validation import GateOptions, validate

    demo = write_demo(tmp_path / "c", profile, 1000, 99, downscale=7)
    report = validate(demo.root, profile, GateOptions())
    assert {judged.finding.code for judged in report.judged} <= {"DCM307", "DCM308", "LAY110", "STA101", "STA103"}
    # DCM307: the smallest of the scaled-down images are implausibly narrow.
    assert {j.finding.location.keyword for j in report.judged if j.finding.code == "DCM307"} <= {"Rows", "Columns"}
