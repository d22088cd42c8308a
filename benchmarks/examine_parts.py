"""Where examine's time goes: each part on one full-size image in memory, in milliseconds, medians.

python benchmarks/examine_parts.py
"""

from __future__ import annotations

import hashlib
import mmap
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pedicxr_release.demo.write import write_demo
from pedicxr_release.examine.header import HeaderReader
from pedicxr_release.examine.image import ExamineOptions, Examiner
from pedicxr_release.examine.part10 import walk
from pedicxr_release.examine.pixels import PixelReader
from pedicxr_release.examine.record import ImageFile
from pedicxr_release.examine.retained import check_byte_areas, check_elements, check_link_back
from pedicxr_release.finding import Collector
from pedicxr_release.identity import IdentityText
from pedicxr_release.profile import load_profile

if TYPE_CHECKING:
    from collections.abc import Callable

REPEATS = 50


def milliseconds(function: Callable[[], object]) -> float:
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        function()
        times.append(time.perf_counter() - started)
    return 1000 * statistics.median(times)


def main() -> None:
    profile = load_profile("pedicxr")
    with tempfile.TemporaryDirectory() as folder:
        demo = write_demo(Path(folder) / "c", profile, 2, 1, downscale=1)
        path = demo.image_path("train", 0)
        image_id = demo.images["train"][0].image_id
        with path.open("rb") as file:
            buffer = memoryview(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ))
        found = Collector("x")
        text = IdentityText(profile.identity)
        header = HeaderReader(profile.dicom, profile.release.age)
        pixels = PixelReader(profile.dicom.pixels, text)
        walked = walk(buffer, found)
        assert walked is not None
        values = header.read(walked, found)
        parts = {
            "hash (SHA-256)": lambda: hashlib.sha256(buffer).digest(),
            "walk": lambda: walk(buffer, found),
            "whitelist and text": lambda: (
                check_elements(walked, profile.dicom, text, found),
                check_byte_areas(buffer, walked, text, found),
            ),
            "link back": lambda: check_link_back(walked, image_id, image_id, found),
            "header": lambda: (header.check_meta(walked, image_id, found), header.read(walked, found)),
            "pixels": lambda: pixels.read(walked, values, found),
        }
        image = ImageFile("train/x.dicom", str(path), "train", image_id, len(buffer))
        examiner = Examiner(profile, ExamineOptions())
        whole = milliseconds(lambda: examiner(image))
        print(f"one image of {len(buffer) / 1e6:.1f} MB, medians of {REPEATS} runs\n")
        print("| part | ms | share |\n| --- | ---: | ---: |")
        for name, part in parts.items():
            took = milliseconds(part)
            print(f"| {name} | {took:.3f} | {100 * took / whole:.0f} % |")
        print(f"| whole, with open and mapping | {whole:.3f} | 100 % |")


if __name__ == "__main__":
    main()
