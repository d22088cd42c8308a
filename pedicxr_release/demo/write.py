"""Write a synthetic candidate in the published layout."""

from __future__ import annotations

import csv
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from pydicom import config as pydicom_config
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.filewriter import dcmwrite
from pydicom.uid import UID, ComputedRadiographyImageStorage, ExplicitVRLittleEndian, RLELossless

from pedicxr_release.demo.plan import PlannedImage, plan_split
from pedicxr_release.demo.radiograph import radiograph, tiled_rle
from pedicxr_release.profile import CONSENSUS, LabelColumns

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pedicxr_release.profile import Profile, TableProfile


@dataclass(slots=True)
class Demo:
    """A synthetic candidate as it was planned.

    Attributes
    ----------
    root
        Its folder.
    images
        The planned images by split.
    """

    root: Path
    profile: Profile
    images: dict[str, list[PlannedImage]] = field(default_factory=dict)

    def image_path(self, split: str, index: int) -> Path:
        """The file of one image."""
        return self.root / split / f"{self.images[split][index].image_id}{self.profile.release.images.extension}"

    def table_path(self, split: str, table: str) -> Path:
        """The file of one table."""
        return self.root / self.profile.release.splits[split].tables[table]


def write_demo(
    root: Path,
    profile: Profile,
    count: int,
    seed: int,
    *,
    downscale: float = 4,
    tiled: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Demo:
    """Write a clean synthetic candidate.

    Parameters
    ----------
    root
        The folder to make; it must not exist or be empty.
    profile
        Gives layout, labels and reference.
    count
        Number of images over all splits, shared out as the profile declares.
    seed
        The same seed gives the same bytes.
    downscale
        Divides the reference's image size; 1 for full size.
    tiled
        Draw coarse images, compressed to about 150 kB each at full size.
    progress
        Told the number of images just made.

    Raises
    ------
    FileExistsError
        When the folder holds something.
    """
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise FileExistsError(f"{root} exists and is not an empty folder")
    demo = Demo(root, profile)
    for number, (split, images) in enumerate(share_out(count, profile).items()):
        rng = np.random.default_rng([seed, number])
        demo.images[split] = plan_split(split, images, profile, rng, downscale)
        (root / split).mkdir(parents=True, exist_ok=True)
        for index, image in enumerate(demo.images[split]):
            pixels = np.random.default_rng([seed, number, index])
            write_image(demo.image_path(split, index), image, pixels, tiled=tiled)
            if progress:
                progress(1)
        _write_tables(demo, split, rng)
    return demo


def share_out(count: int, profile: Profile) -> dict[str, int]:
    """Share a number of images out over the splits as the profile declares, each at least one."""
    declared = {name: split.images for name, split in profile.release.splits.items()}
    total = sum(declared.values())
    shares = {name: max(1, round(count * images / total)) for name, images in declared.items()}
    largest = max(shares, key=lambda name: shares[name])
    shares[largest] += count - sum(shares.values())
    return shares


def write_image(path: Path, image: PlannedImage, rng: np.random.Generator, *, tiled: bool = False) -> None:
    """Write one image as the paper's script leaves it, with the retained attributes only; tiled, as RLE of coarse blocks."""
    if tiled:
        frame, smallest, largest = tiled_rle(image.rows, image.columns, rng)
        pixel_data, transfer_syntax = encapsulate([frame]), RLELossless
    else:
        pixels = radiograph(image.rows, image.columns, rng)
        smallest, largest = int(pixels.min()), int(pixels.max())
        pixel_data, transfer_syntax = pixels.astype("<u2").tobytes(), ExplicitVRLittleEndian
    data_set = Dataset()
    if image.sex:
        data_set.PatientSex = image.sex
    if image.age:
        data_set.PatientAge = image.age
    data_set.SamplesPerPixel = 1
    data_set.PhotometricInterpretation = "MONOCHROME2"
    data_set.Rows, data_set.Columns = image.rows, image.columns
    data_set.PixelSpacing = [0.14, 0.14]
    data_set.BitsAllocated, data_set.BitsStored, data_set.HighBit = 16, 12, 11
    data_set.PixelRepresentation = 0
    data_set.SmallestImagePixelValue, data_set.LargestImagePixelValue = smallest, largest
    data_set.WindowCenter, data_set.WindowWidth = 2048, 4096
    data_set.RescaleIntercept, data_set.RescaleSlope = 0, 1
    data_set.LossyImageCompression = "00"
    data_set.PixelData = pixel_data
    data_set["PixelData"].VR = "OB" if tiled else "OW"
    data_set["PixelData"].is_undefined_length = tiled
    save(path, data_set, image.image_id, transfer_syntax)


def save(path: Path, data_set: Dataset, image_id: str, transfer_syntax: str = ExplicitVRLittleEndian) -> None:
    """Write a data set with a file meta group that names nothing but the image id."""
    meta = FileMetaDataset()
    meta.FileMetaInformationGroupLength = 0  # pydicom writes the right number
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = ComputedRadiographyImageStorage
    # As published: the bare image id, which is no valid UID.
    meta.add(DataElement("MediaStorageSOPInstanceUID", "UI", image_id, validation_mode=pydicom_config.IGNORE))
    meta.TransferSyntaxUID = UID(transfer_syntax)
    meta.ImplementationClassUID = UID("1.2.3.4")
    data_set.file_meta = meta
    data_set.preamble = bytes(128)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom rightly remarks on the image id in a UID
        dcmwrite(path, data_set, enforce_file_format=False, implicit_vr=False, little_endian=True)


def _write_tables(demo: Demo, split: str, rng: np.random.Generator) -> None:
    profile = demo.profile
    for name, file in profile.release.splits[split].tables.items():
        table = profile.tables[name]
        header = [column.name for column in table.columns]
        rows: list[list[str]] = []
        if table.kind == "boxes":
            for image in demo.images[split]:
                rows += [
                    [values[c.role] for c in table.columns]
                    for reader in _readers(image, table)
                    for values in _box_rows(image, reader, profile, table.placeholder or "", rng)
                ]
        else:
            wanted = table.labels or LabelColumns()
            labels = [x.name for x in (*(profile.labels.local if wanted.local == "required" else ()), *profile.labels.global_)]
            header += [wanted.spelled.get(label, label) for label in labels]
            for image in demo.images[split]:
                seen = {*image.local, *image.global_}
                for reader in _readers(image, table):
                    values = {"image_id": image.image_id, "reader": reader}
                    rows.append(
                        [*(values[c.role] for c in table.columns), *("1" if label in seen else "0" for label in labels)]
                    )
        (demo.root / file).parent.mkdir(exist_ok=True)
        with (demo.root / file).open("w", newline="", encoding="utf-8") as out:
            writer = csv.writer(out, lineterminator="\n")
            writer.writerow(header)
            writer.writerows(rows)


def _readers(image: PlannedImage, table: TableProfile) -> tuple[str, ...]:
    return (CONSENSUS,) if table.consensus else image.readers


def _box_rows(
    image: PlannedImage, reader: str, profile: Profile, placeholder: str, rng: np.random.Generator
) -> list[dict[str, str]]:
    ids = profile.labels.local_class_ids
    common = {"image_id": image.image_id, "reader": reader, "other": ""}
    if not image.local:
        number = profile.labels.class_ids.placeholder[0] if profile.labels.class_ids.placeholder else None
        empty = dict.fromkeys(("x_min", "y_min", "x_max", "y_max"), "")
        return [{**common, **empty, "class_name": placeholder, "class_id": "" if number is None else str(number)}]
    rows = []
    for name in image.local:
        width, height = rng.uniform(0.1, 0.4, 2)
        left, top = rng.uniform(0.05, 0.95 - width), rng.uniform(0.05, 0.95 - height)
        box = {
            "x_min": left * image.columns,
            "y_min": top * image.rows,
            "x_max": (left + width) * image.columns,
            "y_max": (top + height) * image.rows,
        }
        corners = {key: f"{value:.3f}" for key, value in box.items()}
        rows.append({**common, **corners, "class_name": name, "class_id": str(ids[name])})
    return rows
