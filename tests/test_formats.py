"""Table 3 and the figures in every form: complete, well-formed, the same bytes each time."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import jsonschema
import pytest
from click.testing import CliRunner, Result
from pedicxr_release.cli import main
from pydicom import dcmread

if TYPE_CHECKING:
    from pathlib import Path

    from pedicxr_release.demo.write import Demo
    from pedicxr_release.profile import Profile


def stats(demo: Demo, *arguments: str | Path) -> Result:
    result = CliRunner().invoke(main, ["stats", str(demo.root), *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result


@pytest.mark.parametrize("what", ["report", "stats", "profile"])
def test_the_json_schemas_are_schemas(what: str) -> None:
    schemas = json.loads(CliRunner().invoke(main, ["schema", what]).stdout)
    for schema in schemas.values() if what == "profile" else [schemas]:
        jsonschema.Draft202012Validator.check_schema(schema)


def test_stats_json_fits_its_schema(clean_demo: Demo) -> None:
    schema = json.loads(CliRunner().invoke(main, ["schema", "stats"]).stdout)
    jsonschema.validate(json.loads(stats(clean_demo, "--format", "json").stdout), schema)


def test_csv_is_tidy(clean_demo: Demo) -> None:
    rows = list(csv.DictReader(io.StringIO(stats(clean_demo, "--format", "csv").stdout)))
    labels = [row for row in rows if row["section"] != "collection"]
    assert len(labels) == 51 * 2
    first = next(row for row in labels if row["number"] == "2" and row["split"] == "train")
    assert (first["reference"], first["reference_percent"], first["source"]) == ("1358", "17.57", "paper")


@pytest.mark.parametrize("compare", ["--compare", "--no-compare"])
def test_markdown_is_a_table(clean_demo: Demo, compare: str) -> None:
    lines = [line for line in stats(clean_demo, "--format", "markdown", compare).stdout.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in lines}) == 1
    assert len(lines) == 2 + 10 + 51


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.rows = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.rows += tag == "tr"
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_html_is_well_formed_and_needs_no_network(clean_demo: Demo) -> None:
    page = stats(clean_demo, "--format", "html").stdout
    tags = Tags()
    tags.feed(page)
    assert not tags.open
    assert tags.rows == 1 + 10 + 51
    assert not re.search(r"(src|href)=|https?://|<script", page)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs LaTeX")
def test_latex_compiles(clean_demo: Demo, tmp_path: Path) -> None:
    table = stats(clean_demo, "--format", "latex", "--compare").stdout
    preamble = (
        r"\documentclass[a4paper,landscape]{article}\usepackage[utf8]{inputenc}\usepackage{booktabs}\begin{document}\tiny"
    )
    (tmp_path / "t.tex").write_text(preamble + "\n" + table + r"\end{document}", encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout[-800:]


def test_latex_is_balanced_and_escaped(clean_demo: Demo) -> None:
    table = stats(clean_demo, "--format", "latex").stdout
    assert table.count(r"\begin{") == table.count(r"\end{") == 2
    body = table[table.index(r"\toprule") : table.index(r"\bottomrule")]
    rows = [line for line in body.splitlines() if line.endswith(r"\\")]
    assert len(rows) == 1 + 10 + 51
    assert all(line.count("&") == 6 for line in rows)
    assert not re.search(r"(?<!\\)%", body)


@pytest.mark.parametrize("by", ["sex", "age-group", "reader"])
def test_groups_add_up_to_the_whole(clean_demo: Demo, by: str) -> None:
    whole = {row["number"]: row for row in json.loads(stats(clean_demo, "--format", "json").stdout)["labels"]}
    broken = json.loads(stats(clean_demo, "--by", by, "--format", "json").stdout)
    for row in broken["labels"]:
        for split, counts in row["counts"].items():
            assert sum(counts.values()) == whole[row["number"]]["cells"][split]["count"]
    assert sum(broken["totals"]["train"].values()) == len(clean_demo.images["train"])
    assert stats(clean_demo, "--by", by).stdout
    assert len(stats(clean_demo, "--by", by, "--format", "csv").stdout.splitlines()) > 51


def test_labels_by_sex_against_the_headers(clean_demo: Demo) -> None:
    broken = json.loads(stats(clean_demo, "--by", "sex", "--format", "json").stdout)
    sexes = {
        path.stem: dcmread(path, stop_before_pixels=True).get("PatientSex", "unknown")
        for path in (clean_demo.root / "train").iterdir()
    }
    with (clean_demo.root / "image_labels_train.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    expected = sum(row["No finding"] == "1" and sexes[row["image_id"]] == "F" for row in rows)
    assert broken["labels"][36]["counts"]["train"]["F"] == expected


def test_figures_are_drawn_and_the_same_each_time(clean_demo: Demo, tmp_path: Path) -> None:
    digests = []
    for name in ("a", "b"):
        stats(clean_demo, "--figures", tmp_path / name)
        files = sorted((tmp_path / name).iterdir())
        digests.append({path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files})
    assert digests[0] == digests[1]
    assert len(digests[0]) == 15
    svg = (tmp_path / "a" / "age.svg").read_text(encoding="utf-8")
    assert "median" in svg
    assert (tmp_path / "a" / "age.pdf").read_bytes().startswith(b"%PDF")
    assert (tmp_path / "a" / "age.png").read_bytes().startswith(b"\x89PNG")


def test_figure_3_has_the_labels_that_are_not_rare(clean_demo: Demo, profile: Profile, tmp_path: Path) -> None:
    from pedicxr_release.evidence import Evidence
    from pedicxr_release.stats.figures import FIGURES
    from pedicxr_release.stats.table3 import compute_table3
    from pedicxr_release.validation import GateOptions, gather

    common = profile.model_copy(
        update={
            "release": profile.release.model_copy(
                update={"figures": profile.release.figures.model_copy(update={"rare_below": 2})}
            )
        }
    )
    gathered = gather(clean_demo.root, common, GateOptions(pixels=False, hash=False, workers=1))
    assert isinstance(gathered, Evidence)
    table = compute_table3(gathered)
    for name, kind in (("figure-3-abnormal-findings", "local"), ("figure-4-pathologies", "global")):
        axes = FIGURES[name](gathered, table).axes[0]
        drawn = [text.get_text() for text in axes.get_yticklabels()]
        rows = [row for row in table.labels if row.kind == kind and row.name != profile.labels.no_finding]
        expected = [row.name for row in rows if row.cells["train"].count >= 2]
        assert sorted(drawn) == sorted(expected)
        widths = [bar.get_width() for bar in axes.patches]
        assert widths == sorted(widths)


def test_evidence_is_used_if_it_fits_and_left_if_not(demo: Demo, tmp_path: Path) -> None:
    kept = tmp_path / "evidence.jsonl"
    validated = CliRunner().invoke(main, ["validate", str(demo.root), "--save-evidence", str(kept)])
    assert validated.exit_code == 0
    fresh = stats(demo, "--format", "json").stdout
    victim = demo.image_path("train", 0)
    content, status = victim.read_bytes(), victim.stat()
    victim.write_bytes(bytes(len(content)))
    import os

    os.utime(victim, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert stats(demo, "--format", "json", "--evidence", kept).stdout == fresh
    os.utime(victim)
    result = stats(demo, "--format", "json", "--evidence", kept)
    assert "does not fit: the images have changed" in result.stderr
    assert result.stdout != fresh


@pytest.mark.parametrize("content", ["", "{}", "nonsense", '{"evidence":1,"tool_version":"0","profile_digest":"x"}'])
def test_what_is_no_evidence_is_said_so(clean_demo: Demo, tmp_path: Path, content: str) -> None:
    (tmp_path / "e").write_text(content)
    assert "does not fit" in stats(clean_demo, "--evidence", tmp_path / "e").stderr
