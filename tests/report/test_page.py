"""The HTML report in a browser: usable, accessible, safe, and the same without scripts."""

from __future__ import annotations

import os
import re
import shutil
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe
from pedicxr_release.exceptions import RecordedException
from pedicxr_release.finding import Finding, Location, Severity
from pedicxr_release.report.html import to_html
from pedicxr_release.validation import GateOptions, Judged, Report, validate
from playwright.sync_api import expect, sync_playwright

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pedicxr_release.demo.write import Demo
    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip

pytestmark = pytest.mark.skipif(
    CHROMIUM is None and not os.environ.get("CI"), reason="needs chromium: apt-get install chromium"
)

IMAGE = "train/0123456789abcdef0123456789abcdef.dicom"
MARKUP = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script></script></style>{{ 7*7 }}"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def clean(clean_demo: Demo) -> Report:
    return validate(clean_demo.root, clean_demo.profile, GateOptions(expectations=False))


@pytest.fixture
def show(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Page]]:
    """Open a report in a page of its own; nothing but the page may be asked for, and nothing may fail in it."""
    trouble: list[str] = []
    contexts = []

    def opened(report: Report, **options: object) -> Page:
        (tmp_path / "report.html").write_text(to_html(report), encoding="utf-8")
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: trouble.append(message.text))
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.on("request", lambda request: None if request.url.startswith(("file:", "data:")) else trouble.append(request.url))
        page.goto((tmp_path / "report.html").as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not trouble


def report_of(clean: Report, *findings: Judged) -> Report:
    return Report(clean.evidence, list(findings), GateOptions())


def many(number: int) -> Iterator[Judged]:
    """So many findings: boxes beyond their images, a tenth of them warnings about names."""
    for index in range(number):
        if index % 10:
            place = Location(row=index + 2, column="x_max")
            yield Judged(
                Finding("BOX104", "annotations_train.csv", place, {"where": "beyond the image's columns"}), Severity.error
            )
        else:
            place = Location(tag="(0010,0010)", keyword="PatientName", offset=index)
            yield Judged(
                Finding("PHI101", IMAGE, place, {"keyword": "PatientName", "vr": "PN", "length": 4, "hipaa": "name"}),
                Severity.error,
            )


def visible(page: Page) -> int:
    return page.evaluate("[...document.querySelectorAll('details.check:not([hidden]) li:not([hidden])')].length")


def test_the_verdict_comes_first_and_the_parts_are_there(show: Callable[..., Page], clean: Report) -> None:
    page = show(clean)
    assert page.locator("h1").inner_text() == "Gate open"
    assert [link.get_attribute("href") for link in page.locator("nav a").all()] == [
        "#findings", "#table-3", "#figures", "#coverage", "#exceptions", "#provenance",
    ]  # fmt: skip
    assert page.locator("#table-3 tbody tr").count() == 10 + 51
    assert page.locator("#figures img").count() == 5
    assert all(page.evaluate("[...document.images].map((image) => image.complete && image.naturalWidth > 0)"))
    assert clean.profile.digest in page.locator("#provenance").inner_text()


def test_search_filter_and_fold(show: Callable[..., Page], clean: Report) -> None:
    page = show(report_of(clean, *many(40)))
    assert page.locator("#shown").inner_text() == "40 findings"
    page.get_by_label("Search").fill("line 13 x_max")
    expect(page.locator("#shown")).to_contain_text(re.compile("^1 of"))
    assert visible(page) == 1
    assert page.locator("#BOX104 .number").inner_text() == "1 of 36"
    page.get_by_label("Search").fill("box104")
    expect(page.locator("#shown")).to_contain_text(re.compile("^36 of"))
    page.get_by_label("Search").fill("absent")
    expect(page.locator("#shown")).to_contain_text(re.compile("^0 of"))
    assert page.locator("#nothing").is_visible()
    page.get_by_label("Search").fill("")
    page.get_by_label("Family").select_option("PHI")
    assert visible(page) == 4
    page.get_by_label("error").uncheck()
    assert visible(page) == 0
    page.get_by_label("error").check()
    page.get_by_label("Family").select_option("")
    page.get_by_role("button", name="Unfold all").click()
    assert page.locator("details[open]").count() == 2
    page.get_by_role("button", name="Fold all").click()
    assert page.locator("details[open]").count() == 0
    page.locator("#PHI101 summary").focus()
    page.keyboard.press("Enter")
    assert page.locator("#PHI101[open]").count() == 1


def test_a_link_to_a_check_unfolds_it(show: Callable[..., Page], clean: Report) -> None:
    page = show(report_of(clean, *many(400)))
    assert page.locator("#BOX104[open]").count() == 0
    page.evaluate("location.hash = '#BOX104'")
    page.wait_for_selector("#BOX104[open]")


def test_a_hundred_thousand_findings(show: Callable[..., Page], clean: Report) -> None:
    page = show(report_of(clean, *many(100_000)))
    assert page.locator("#shown").inner_text() == "100,000 findings"
    page.get_by_label("Search").fill("line 99999 ")
    expect(page.locator("#shown")).to_contain_text(re.compile("^1 of"))
    page.locator("#BOX104 summary").click()
    assert page.locator("#BOX104 li:visible").inner_text().startswith("annotations_train.csv line 99999 column x_max")


def test_without_scripts_everything_can_be_read(show: Callable[..., Page], clean: Report) -> None:
    page = show(report_of(clean, *many(1200)), java_script_enabled=False)
    assert page.locator("#filter").is_hidden()
    assert page.locator("details.check li").count() == 1200
    page.locator("#BOX104 summary").click()
    assert page.get_by_text("line 3 column x_max").first.is_visible()


def test_nothing_from_a_file_is_markup(show: Callable[..., Page], clean: Report) -> None:
    entry = RecordedException(check="BOX104", path=MARKUP, reason=MARKUP, who=MARKUP, date="2026-01-01")  # type: ignore[arg-type]
    findings = [
        Judged(Finding("LAY101", MARKUP, facts={"kind": MARKUP}), Severity.error),
        Judged(Finding("BOX104", MARKUP, Location(row=2, column=MARKUP), {"where": MARKUP}), Severity.error, entry),
    ]
    page = show(report_of(clean, *findings))
    page.wait_for_timeout(200)
    assert page.title().startswith("Gate shut")
    assert page.locator("script").count() == 1
    assert page.locator("main img").count() == 5
    assert page.locator("#LAY101 li").inner_text().startswith(MARKUP)
    assert MARKUP in page.locator("#exceptions").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 380])
def test_it_is_accessible(show: Callable[..., Page], clean: Report, scheme: str, width: int) -> None:
    page = show(
        Report(clean.evidence, [*clean.judged, *many(20)], GateOptions()),
        color_scheme=scheme, viewport={"width": width, "height": 900}, bypass_csp=True,
    )  # fmt: skip
    page.get_by_role("button", name="Unfold all").click()
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()
    if width < 400:
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_it_prints(show: Callable[..., Page], clean: Report) -> None:
    page = show(report_of(clean, *many(150)))
    assert page.locator("#BOX104[open]").count() == 0
    assert page.pdf().startswith(b"%PDF")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("#BOX104[open]").count() == 1
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("#BOX104[open]").count() == 0
