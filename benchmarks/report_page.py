"""How long an HTML report of 100,000 findings takes to write, and to open and search in headless Chromium."""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from pathlib import Path

from pedicxr_release.demo.write import write_demo
from pedicxr_release.finding import Finding, Location, Severity
from pedicxr_release.profile import load_profile
from pedicxr_release.report.html import to_html
from pedicxr_release.validation import GateOptions, Judged, Report, validate
from playwright.sync_api import expect, sync_playwright

FINDINGS, ROUNDS = 100_000, 5


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        profile = load_profile("pedicxr")
        write_demo(root / "c", profile, 40, 1, downscale=8)
        evidence = validate(root / "c", profile, GateOptions(expectations=False)).evidence
        facts = {"where": "beyond the image's columns"}
        found = [
            Judged(Finding("BOX104", "annotations_train.csv", Location(row=n + 2, column="x_max"), facts), Severity.error)
            for n in range(FINDINGS)
        ]
        started = time.perf_counter()
        text = to_html(Report(evidence, found, GateOptions()))
        written = time.perf_counter() - started
        (root / "report.html").write_text(text, encoding="utf-8")
        opened, searched = zip(*_browse(root / "report.html"), strict=True)
    print(f"{FINDINGS:,} findings, {len(text) / 1e6:.1f} MB: written in {written:.2f} s")
    print(
        f"opened in {statistics.median(opened):.2f} s, searched in {statistics.median(searched):.2f} s (medians of {ROUNDS})"
    )


def _browse(page: Path) -> list[tuple[float, float]]:
    times = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"])
        for _ in range(ROUNDS):
            tab = browser.new_page()
            started = time.perf_counter()
            tab.goto(page.as_uri())
            tab.locator("#shown").inner_text()
            opened = time.perf_counter()
            tab.get_by_label("Search").fill("line 99999 ")
            expect(tab.locator("#shown")).to_have_text(f"1 of {FINDINGS:,} findings")
            times.append((opened - started, time.perf_counter() - opened))
            tab.close()
        browser.close()
    return times


if __name__ == "__main__":
    main()
