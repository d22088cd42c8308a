"""A mutation fuzzer over examine: every input is answered in bounded time and memory, without a traceback.

    python -m tests.fuzz.examine --seconds 60 --inputs 100000

Seeds are the small files that pydicom ships and the demo's images with every planted fault. Each worker examines mutants
under the engine's own limits; a worker that dies leaves the mutant that killed it. Exit code 1 if anything was found.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import resource
import signal
import struct
import sys
import tempfile
import time
import traceback
from pathlib import Path

from pedicxr_release.demo.faults import FAULTS, plant
from pedicxr_release.demo.write import write_demo
from pedicxr_release.engine import _start_worker
from pedicxr_release.examine.batch import MEMORY, SECONDS
from pedicxr_release.examine.image import ExamineOptions, Examiner
from pedicxr_release.examine.record import ImageFile
from pedicxr_release.profile import load_profile

from tests.candidates import real_files

LARGEST_SEED = 40_000
INTERESTING = [0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF]
TOKENS = [
    b"\xfe\xff\x00\xe0", b"\xfe\xff\x0d\xe0", b"\xfe\xff\xdd\xe0", b"\xff\xff\xff\xff", b"SQ\0\0", b"UN\0\0", b"OB\0\0", b"DICM",
    b"\xe0\x7f\x10\x00", b"\x28\x00\x10\x00US\x02\x00", b"\xff\xd8\xff", b"\xff\x4f\xff\x51", b"\xff\xfe", b"\xff\x64", b"\xff\x90",
    b"1.2.840.10008.1.2.4.90", b"1.2.840.10008.1.2.5", b"1.2.840.10008.1.2.1.99", b"1.2.840.10008.1.2.2",
]  # fmt: skip


def seeds() -> list[bytes]:
    """Small real files, and one image of the demo for each fault that is in an image."""
    contents = [content for path in real_files() if len(content := path.read_bytes()) <= LARGEST_SEED]
    profile = load_profile("pedicxr")
    with tempfile.TemporaryDirectory() as folder:
        for fault in FAULTS.values():
            demo = write_demo(Path(folder) / fault.name, profile, 24, 1, downscale=16)
            path = demo.root / plant(fault.name, demo)
            if path.is_file() and path.suffix == ".dicom" and not path.is_symlink():
                contents.append(path.read_bytes()[:LARGEST_SEED])
    return contents


def mutate(content: bytes, others: list[bytes], rng: random.Random) -> bytes:
    """Change a seed in a few places, most of them in its header."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 3, 5, 8))):
        reach = min(len(data), 2000) if rng.random() < 0.8 else len(data)
        at = rng.randrange(reach) if reach else 0
        match rng.randrange(8):
            case 0 if data:
                data[at] ^= 1 << rng.randrange(8)
            case 1 if data:
                data[at] = rng.randrange(256)
            case 2:
                data[at : at + 2] = struct.pack("<H", rng.choice(INTERESTING) & 0xFFFF)
            case 3:
                data[at : at + 4] = struct.pack(rng.choice("<>") + "I", rng.choice(INTERESTING))
            case 4:
                token = rng.choice(TOKENS)
                data[at : at + (len(token) if rng.random() < 0.5 else 0)] = token
            case 5:
                del data[at : at + rng.choice((1, 2, 8, 64, 1000))]
            case 6:
                start = rng.randrange(len(data)) if data else 0
                data[at:at] = data[start : start + rng.choice((8, 64, 512))] * rng.choice((1, 1, 50))
            case _:
                other = rng.choice(others)
                cut = rng.randrange(len(other)) if other else 0
                data = data[:at] + other[cut:]
    return bytes(data[: 4 * LARGEST_SEED])


def work(number: int, folder: str, contents: list[bytes], seconds: float, inputs: int) -> None:
    """Examine mutants until the time is up; leave the present one in a file, and failures in others."""
    profile = load_profile("pedicxr")
    _start_worker(profile, ExamineOptions())
    examiner = Examiner(profile, ExamineOptions())
    seed = int(time.time() * 1000) * 7 + number + os.getpid()
    rng = random.Random(seed)
    present = Path(folder) / f"present-{number}"
    file = ImageFile("train/x.dicom", str(present), "train", "0" * 32, 0)
    done, slowest, until = 0, 0.0, time.monotonic() + seconds
    while time.monotonic() < until and done < inputs:
        mutant = mutate(rng.choice(contents), contents, rng)
        present.write_bytes(mutant)
        signal.setitimer(signal.ITIMER_REAL, SECONDS)
        started = time.monotonic()
        try:
            record = examiner(file)
            account = record.account
            if account and account.preamble + account.meta + account.elements + account.pixels + account.left_over != len(
                mutant
            ):
                raise AssertionError("bytes are not accounted for")  # noqa: TRY301
            for finding in record.findings:
                assert finding.message
        except Exception:  # noqa: BLE001 (that is what is looked for)
            name = Path(folder) / f"failure-{number}-{done}"
            name.write_bytes(mutant)
            name.with_suffix(".txt").write_text(traceback.format_exc())
        slowest = max(slowest, time.monotonic() - started)
        done += 1
    signal.setitimer(signal.ITIMER_REAL, 0)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    (Path(folder) / f"done-{number}-{os.getpid()}").write_text(f"{done} {slowest:.2f} {peak}")


def main() -> int:
    """Run the fuzzer; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--inputs", type=int, default=10**9)
    parser.add_argument("--keep", type=Path, default=Path("build/fuzz"))
    options = parser.parse_args()
    contents = seeds()
    options.keep.mkdir(parents=True, exist_ok=True)
    cores = os.cpu_count() or 1
    deaths = 0
    until = time.monotonic() + options.seconds
    with tempfile.TemporaryDirectory() as folder:
        running: dict[int, multiprocessing.process.BaseProcess] = {}
        context = multiprocessing.get_context("forkserver")
        while time.monotonic() < until:
            for number in range(cores):
                process = running.get(number)
                if process is not None and process.is_alive():
                    continue
                if process is not None and process.exitcode != 0:
                    deaths += 1
                    kept = options.keep / f"death-{deaths}-exit{process.exitcode}"
                    kept.write_bytes((Path(folder) / f"present-{number}").read_bytes())
                if process is not None and process.exitcode == 0:
                    continue
                left = until - time.monotonic()
                running[number] = context.Process(target=work, args=(number, folder, contents, left, options.inputs // cores))
                running[number].start()
            if all(not process.is_alive() and process.exitcode == 0 for process in running.values()):
                break
            time.sleep(0.2)
        for process in running.values():
            process.join(SECONDS + 10)
        results = [path.read_text().split() for path in Path(folder).glob("done-*")]
        failures = list(Path(folder).glob("failure-*.txt"))
        for failure in failures:
            for path in (failure, failure.with_suffix("")):
                (options.keep / path.name).write_bytes(path.read_bytes())
    inputs = sum(int(done) for done, _, _ in results)
    slowest, peak = max((float(s) for _, s, _ in results), default=0), max((int(p) for _, _, p in results), default=0)
    print(f"{inputs} inputs from {len(contents)} seeds: {len(failures)} failures, {deaths} deaths,", end=" ")
    print(f"slowest {slowest:.2f} s, peak {peak} MB of {MEMORY >> 20} MB")
    if failures or deaths:
        print(f"what failed is in {options.keep}")
    return 1 if failures or deaths or slowest > SECONDS or peak > MEMORY >> 20 else 0


if __name__ == "__main__":
    sys.exit(main())
