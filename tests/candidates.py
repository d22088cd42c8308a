"""The smallest real release: RG1, a real chest radiograph of the package pydicom-data, stripped to the retained attributes."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from pedicxr_release.demo.write import save
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

if TYPE_CHECKING:
    from pathlib import Path

    from pedicxr_release.profile import Profile
    from pydicom.dataset import FileDataset


def real(name: str) -> Path:
    """A file that pydicom or pydicom-data ships."""
    from pathlib import Path

    path = get_testdata_file(name)
    assert path is not None
    return Path(str(path))


def real_files() -> list[Path]:
    """Every file that pydicom and pydicom-data ship: all transfer syntaxes, truncated, nested, private, no DICOM at all."""
    from pathlib import Path

    import data_store
    import pydicom.data

    folders = [Path(str(pydicom.data.__file__)).parent, Path(str(data_store.__file__)).parent / "data"]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")]
    return sorted(files, key=lambda path: path.name)


def strip(raw: FileDataset, profile: Profile) -> Dataset:
    """Keep the retained attributes of a data set, and nothing else."""
    stripped = Dataset()
    for attribute in profile.dicom.attributes:
        if attribute.tag in raw:
            stripped[attribute.tag] = raw[attribute.tag]
    return stripped


def real_candidate(root: Path, profile: Profile) -> Path:
    """Make a release candidate of one training and one test image, both real, with tables.

    The test image is the same radiograph without its last hundred rows, so that the two have not the same pixels.
    """
    raw = dcmread(real("RG1_UNCI.dcm"))
    for split, rows in (("train", raw.Rows), ("test", raw.Rows - 100)):
        image = strip(raw, profile)
        image.Rows = rows
        image.PixelData = raw.PixelData[: rows * raw.Columns * 2]
        image_id = hashlib.md5(f"{split} of a test".encode(), usedforsecurity=False).hexdigest()
        folder = root / split
        folder.mkdir(parents=True)
        save(folder / f"{image_id}.dicom", image, image_id)
        tables = profile.release.splits[split].tables
        box = f"{image_id},R1,Cardiomegaly,700.5,900,1300,1500.25,6\n"
        header = "image_id,rad_id,class_name,x_min,y_min,x_max,y_max,class_id\n"
        (root / tables["annotations"]).write_text(header + box, encoding="utf-8")
        labels = [label.name for label in profile.labels.global_]
        row = ",".join("1" if name == "Other disease" else "0" for name in labels)
        (root / tables["image_labels"]).write_text(
            f"image_id,rad_ID,{','.join(labels)}\n{image_id},R1,{row}\n", encoding="utf-8"
        )
    return root
