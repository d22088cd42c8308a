"""The commands: parse, call the library, print, exit. No logic, and no heavy import before it is needed."""

from __future__ import annotations

import sys
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pedicxr_release import __version__
from pedicxr_release.source import local_path, reason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from pedicxr_release.cache import EvidenceCache
    from pedicxr_release.evidence import Evidence
    from pedicxr_release.exceptions import RecordedException
    from pedicxr_release.profile import Profile
    from pedicxr_release.stats.table3 import Table3
    from pedicxr_release.validation import GateOptions, Report

OPEN, SHUT, USAGE, INCOMPLETE = 0, 1, 2, 3
"""Exit codes: the gate is open; findings shut it; usage, profile or unreadable input; the run could not be completed."""

REPORT_FORMATS = ("text", "json", "junit", "sarif", "github", "markdown", "html")
DIFF_FORMATS = ("text", "json", "markdown")
TABLE_FORMATS = ("text", "json", "csv", "markdown", "latex", "html")


class Refusal(click.ClickException):
    """A clear one-line error with its exit code."""

    def __init__(self, message: str, code: int = USAGE) -> None:
        super().__init__(message)
        self.exit_code = code  # type: ignore[misc]  # click declares it on the class

    def show(self, file: Any = None) -> None:  # noqa: ANN401 (click's signature)
        """Print the error, and nothing else, on standard error."""
        click.echo(f"pedicxr-release: {self.format_message()}", file=file or sys.stderr, err=True)


@contextmanager
def refusals(*, workers: bool = False) -> Iterator[None]:
    """Turn what the library raises into a refusal; anything unforeseen into one that quotes nothing.

    With workers, their server starts now, so that its imports and this process's own go on side by side.
    """
    if workers:
        from pedicxr_release.workers import worker_context

        worker_context()
    from pedicxr_release.exceptions import ExceptionsError
    from pedicxr_release.profile import ProfileError
    from pedicxr_release.source import SourceError
    from pedicxr_release.workers import ClusterError

    try:
        yield
    except (click.ClickException, click.exceptions.Exit, click.Abort):
        raise
    except (SourceError, ExceptionsError, ProfileError, FileExistsError) as error:
        raise Refusal(str(error)) from None
    except ClusterError as error:
        raise Refusal(f"{error}; no verdict was drawn", INCOMPLETE) from None
    except Exception as error:  # noqa: BLE001 (the last resort: a traceback would quote values)
        from pedicxr_release.package.lock import LockedError
        from pedicxr_release.package.verify import UnreadablePackageError
        from pedicxr_release.package.write import PackageError, TargetError

        if isinstance(error, (LockedError, TargetError, UnreadablePackageError)):
            raise Refusal(str(error)) from None
        if isinstance(error, PackageError):
            raise Refusal(str(error), INCOMPLETE) from None
        kind, place = type(error).__name__, _innermost(error)
        raise Refusal(f"the run could not be completed: {kind} in {place}; no verdict was drawn", INCOMPLETE) from None


def _innermost(error: BaseException) -> str:
    """Where an error was raised: file and line of our own code, without any value."""
    place = "an unknown place"
    trace = error.__traceback__
    while trace is not None:
        file = Path(trace.tb_frame.f_code.co_filename)
        if "pedicxr_release" in file.parts:
            place = f"{file.name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


class Commands(click.Group):
    """The commands, each of which may be interrupted at any moment: click alone would exit with the code of a shut gate."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 (click's signature)
        """Run a command."""
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, click.Abort):
            raise Refusal("interrupted: the run was not completed, and no verdict was drawn", INCOMPLETE) from None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="pedicxr-release")
def main() -> None:
    """Check, count and package an annotated radiograph dataset before it is published.

    Exit codes: 0 the gate is open, 1 findings shut it, 2 wrong usage, profile or input, 3 the run could not be completed.
    """


def _place(text: str) -> Path | str:
    """A folder, or a URL of another place."""
    return local_path(text) or text


profile_option = click.option(
    "--profile",
    "profile_name",
    default="pedicxr",
    show_default=True,
    metavar="NAME|FOLDER",
    help="What a release looks like.",
)
workers_option = click.option("--workers", type=click.IntRange(min=1), help="Worker processes. [default: the cores allowed]")
quiet_option = click.option("-q", "--quiet", is_flag=True, help="No progress bar.")
published_option = click.option("--published", is_flag=True, help="Declared counts and Table 3 are a duty, not information.")
scheduler_option = click.option(
    "--scheduler", metavar="ADDRESS", help="Examine on the Dask cluster whose scheduler is at tcp://HOST:PORT."
)
dataset_argument = click.argument("dataset", type=_place)
exceptions_option = click.option(
    "--exceptions", type=click.Path(path_type=Path), metavar="FILE",
    help="Recorded exceptions. [default: exceptions.yaml beside DATASET, if there is one]",
)  # fmt: skip
fail_on_option = click.option(
    "--fail-on", type=click.Choice(["error", "warning", "info"]), default="error", show_default=True,
    help="Findings from this severity on shut the gate.",
)  # fmt: skip


# -- validate -------------------------------------------------------------------------------------------------------


@main.command()
@dataset_argument
@profile_option
@click.option(
    "--format",
    "formats",
    multiple=True,
    metavar="FORMAT[=FILE]",
    help="text, json, junit, sarif, github, markdown or html; several with =FILE. [default: text]",
)
@fail_on_option
@published_option
@click.option("--no-pixels", is_flag=True, help="Leave the pixels out.")
@click.option("--no-hash", is_flag=True, help="Leave the checksums out.")
@click.option("--with-evidence", is_flag=True, help="List every file with size and SHA-256 in the JSON report.")
@click.option("--no-expectations", is_flag=True, help="Leave the Great Expectations suites out.")
@click.option(
    "--data-docs",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Write Great Expectations' Data Docs, without values.",
)
@exceptions_option
@click.option(
    "--record-exceptions",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write a draft of exceptions from the findings.",
)
@click.option(
    "--save-evidence", type=click.Path(path_type=Path), metavar="FILE", help="Keep what was read, for `stats --evidence`."
)
@click.option("--cache", type=click.Path(path_type=Path), metavar="FOLDER",
              help="Where evidence of unchanged files is kept. [default: the user's cache folder]")  # fmt: skip
@click.option("--no-cache", is_flag=True, help="Read every file anew, and keep nothing.")
@workers_option
@scheduler_option
@click.option("-v", "--verbose", is_flag=True, help="List every finding.")
@quiet_option
def validate(
    dataset: Path | str,
    profile_name: str,
    formats: tuple[str, ...],
    fail_on: str,
    published: bool,
    no_pixels: bool,
    no_hash: bool,
    with_evidence: bool,
    no_expectations: bool,
    data_docs: Path | None,
    exceptions: Path | None,
    record_exceptions: Path | None,
    save_evidence: Path | None,
    cache: Path | None,
    no_cache: bool,
    workers: int | None,
    scheduler: str | None,
    verbose: bool,
    quiet: bool,
) -> None:
    """Take the candidate in DATASET through the gate."""
    outputs = _outputs(formats)
    with refusals(workers=True):
        from pedicxr_release.finding import Severity
        from pedicxr_release.profile import load_profile
        from pedicxr_release.validation import GateOptions
        from pedicxr_release.validation import validate as run

        options = GateOptions(
            Severity(fail_on), published, not no_pixels, not no_hash, workers,
            expectations=not no_expectations, data_docs=data_docs, scheduler=scheduler,
        )  # fmt: skip
        profile = load_profile(profile_name)
        recorded = _exceptions(dataset, exceptions)
        with _cache(cache, wanted=not no_cache) as kept, _progress(quiet=quiet) as told:
            report = run(dataset, profile, options, exceptions=recorded, cache=kept, **told)
        if record_exceptions:
            from pedicxr_release.exceptions import draft_exceptions

            shutting = (j.finding for j in report.judged if not j.excepted and j.severity.rank >= options.fail_on.rank)
            _write_text(record_exceptions, draft_exceptions(shutting, profile))
        if save_evidence:
            from pedicxr_release.evidence_file import evidence_text

            _write_text(save_evidence, evidence_text(report.evidence))
        _write_reports(report, outputs, verbose=verbose, with_evidence=with_evidence)
    sys.exit(OPEN if report.verdict == "pass" else SHUT)


@contextmanager
def _cache(folder: Path | None, *, wanted: bool) -> Iterator[EvidenceCache | None]:
    """The cache of evidence. One that cannot be used is an error only if it was asked for by its folder."""
    from pedicxr_release.cache import CacheError, EvidenceCache, default_folder

    if not wanted:
        yield None
        return
    try:
        kept = EvidenceCache(folder or default_folder())
    except CacheError as error:
        if folder:
            raise Refusal(str(error)) from None
        yield None
        return
    try:
        yield kept
    finally:
        kept.close()


def _exceptions(dataset: Path | str, given: Path | None) -> list[RecordedException]:
    from pedicxr_release.exceptions import FILE_NAME, load_exceptions

    if given:
        return load_exceptions(given)
    folder = local_path(dataset)
    beside = folder.absolute().parent / FILE_NAME if folder else None
    return load_exceptions(beside) if beside and beside.is_file() else []


def _outputs(formats: tuple[str, ...], known: tuple[str, ...] = REPORT_FORMATS) -> list[tuple[str, Path | None]]:
    outputs: list[tuple[str, Path | None]] = []
    for text in formats or ("text",):
        name, equals, path = text.partition("=")
        if name not in known:
            raise Refusal(f"--format {name}: choose from {', '.join(known)}")
        outputs.append((name, Path(path) if equals else None))
    if sum(file is None for _, file in outputs) > 1:
        raise Refusal("--format: one format goes to standard output; give the others a file, as in --format json=report.json")
    for _, file in outputs:
        if file and file.is_file():  # a run that is not completed must not leave an older verdict behind
            file.unlink()
    return outputs


def _write_reports(report: Report, outputs: list[tuple[str, Path | None]], *, verbose: bool, with_evidence: bool) -> None:
    from pedicxr_release.report.text import print_report

    for name, file in outputs:
        with _open(file) if file else nullcontext(sys.stdout) as stream:
            if name == "text":
                print_report(report, _console(stream), every=verbose)
            else:
                click.echo(_written(report, name, with_evidence=with_evidence), file=stream, nl=False)


def _written(report: Report, name: str, *, with_evidence: bool) -> str:
    from pedicxr_release.report.document import to_json
    from pedicxr_release.report.formats import WRITERS

    return to_json(report, with_evidence=True) if name == "json" and with_evidence else WRITERS[name](report)


def _console(file: Any = None, *, stderr: bool = False) -> Console:  # noqa: ANN401 (any text stream)
    from rich.console import Console

    console = Console(file=file, stderr=stderr, highlight=False, soft_wrap=False)
    if not console.is_terminal:
        console.width = 10_000  # one line stays one line, for grep and for logs
    return console


@contextmanager
def _open(file: Path) -> Iterator[Any]:
    try:
        with file.open("w", encoding="utf-8") as stream:
            yield stream
    except OSError as error:
        raise Refusal(f"{file}: cannot be written: {reason(error)}", INCOMPLETE) from None


def _write_text(file: Path, text: str) -> None:
    with _open(file) as stream:
        stream.write(text)


@contextmanager
def _progress(*, quiet: bool) -> Iterator[dict[str, Any]]:
    """A progress bar on standard error: files, bytes a second, time left. Nothing when that is no terminal."""
    if quiet or not sys.stderr.isatty():
        yield {}
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    with Progress(
        TextColumn("examining"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn(),
        TextColumn("{task.fields[files]} files"), console=_console(stderr=True), transient=True,
    ) as bar:  # fmt: skip
        task = bar.add_task("examine", total=None, files=0)
        done = 0

        def started(candidate: Any) -> None:  # noqa: ANN401 (a Candidate; its import is heavy)
            bar.update(
                task, total=sum(entry.size for entry in candidate.entries if "/" in entry.path and entry.kind == "file")
            )

        def progress(files: int, size: int) -> None:
            nonlocal done
            done += files
            bar.update(task, advance=size, files=done)

        yield {"started": started, "progress": progress}


# -- stats ----------------------------------------------------------------------------------------------------------


@main.command()
@dataset_argument
@profile_option
@click.option("--format", "form", type=click.Choice(TABLE_FORMATS), default="text", show_default=True)
@click.option(
    "--compare/--no-compare", default=None, help="Put the reference beside each cell. [default: if the profile has one]"
)
@click.option("--by", type=click.Choice(["sex", "age-group", "reader"]), help="Break the labels down; as text, json or csv.")
@click.option(
    "--figures", type=click.Path(path_type=Path), metavar="FOLDER", help="Draw Figures 3 and 4 and more into FOLDER."
)
@click.option(
    "--evidence", type=click.Path(path_type=Path), metavar="FILE", help="Use what `validate --save-evidence` kept, if it fits."
)
@workers_option
@scheduler_option
@quiet_option
def stats(
    dataset: Path | str,
    profile_name: str,
    form: str,
    compare: bool | None,
    by: str | None,
    figures: Path | None,
    evidence: Path | None,
    workers: int | None,
    scheduler: str | None,
    quiet: bool,
) -> None:
    """Print Table 3 of the paper, computed from the files in DATASET."""
    with refusals(workers=True):
        from pedicxr_release.evidence_file import EvidenceMisfitError
        from pedicxr_release.profile import load_profile
        from pedicxr_release.stats.table3 import compute_table3
        from pedicxr_release.validation import GateOptions, gather, gather_from_file

        profile = load_profile(profile_name)
        gathered = None
        if evidence:
            try:
                gathered = gather_from_file(dataset, profile, evidence)
            except EvidenceMisfitError as misfit:
                click.echo(f"pedicxr-release: {evidence} does not fit: {misfit}; the files are read instead", err=True)
        if gathered is None:
            with _progress(quiet=quiet) as told:
                options = GateOptions(pixels=False, hash=False, workers=workers, scheduler=scheduler)
                gathered = gather(dataset, profile, options, **told)
        if not gathered.records:
            raise Refusal(f"{dataset}: no images in {' or '.join(profile.release.splits)}; there is nothing to count")
        table = compute_table3(gathered)
        if figures:
            _draw(gathered, table, figures)
        if by:
            _write_breakdown(gathered, by, form)
        else:
            _write_table3(table, profile, form, compare=bool(profile.reference) if compare is None else compare)


def _draw(gathered: Evidence, table: Table3, folder: Path) -> None:
    try:
        from pedicxr_release.stats.figures import draw_figures
    except ImportError:
        raise Refusal("--figures needs matplotlib: pip install 'pedicxr-release[figures]'") from None
    try:
        drawn = draw_figures(gathered, table, folder)
    except OSError as error:
        raise Refusal(f"{folder}: cannot be written: {reason(error)}", INCOMPLETE) from None
    click.echo(f"drew {len(drawn)} figures in {folder}", err=True)


def _write_table3(table: Table3, profile: Profile, form: str, *, compare: bool) -> None:
    from pedicxr_release.report.table3 import WRITERS, print_table3

    if form == "text":
        print_table3(table, profile.release, _console(), compare=compare)
    elif form == "json":
        click.echo(table.model_dump_json(indent=2))
    else:
        click.echo(WRITERS[form](table, profile.release, compare), nl=False)


def _write_breakdown(gathered: Evidence, by: Any, form: str) -> None:  # noqa: ANN401 (one of click's choices)
    from pedicxr_release.report.table3 import breakdown_csv, print_breakdown
    from pedicxr_release.stats.breakdown import break_down

    broken_down = break_down(gathered, by)
    if form == "text":
        print_breakdown(broken_down, _console())
    elif form == "json":
        click.echo(broken_down.model_dump_json(indent=2))
    elif form == "csv":
        click.echo(breakdown_csv(broken_down), nl=False)
    else:
        raise Refusal(f"--by goes with --format text, json or csv, not {form}")


# -- package --------------------------------------------------------------------------------------------------------


@main.command()
@dataset_argument
@click.argument("out", type=click.Path(path_type=Path))
@profile_option
@fail_on_option
@published_option
@exceptions_option
@click.option(
    "--mode",
    type=click.Choice(["copy", "reflink", "hardlink"]),
    default="copy",
    show_default=True,
    help="How images get into the package.",
)
@click.option("--zip", "archive", is_flag=True, help="Make the zip too, as the platform names it.")
@workers_option
@click.option("-v", "--verbose", is_flag=True, help="List every finding.")
@quiet_option
def package(
    dataset: Path | str,
    out: Path,
    profile_name: str,
    fail_on: str,
    published: bool,
    exceptions: Path | None,
    mode: Any,  # noqa: ANN401 (one of click's choices)
    archive: bool,
    workers: int | None,
    verbose: bool,
    quiet: bool,
) -> None:
    """Validate DATASET and, if the gate is open, write OUT/<slug>-<version>/.

    Beside it, OUT/<slug>-<version>.evidence/ holds what the release manager keeps.
    """
    with refusals(workers=True):
        from pedicxr_release.finding import Severity
        from pedicxr_release.package.write import write_package
        from pedicxr_release.profile import load_profile
        from pedicxr_release.report.text import count, human_size, print_report
        from pedicxr_release.validation import GateOptions

        options: GateOptions = GateOptions(Severity(fail_on), published, workers=workers, mode=mode)
        loaded, recorded = load_profile(profile_name), _exceptions(dataset, exceptions)
        with _progress(quiet=quiet) as told:
            made = write_package(dataset, out, loaded, options, exceptions=recorded, archive=archive, **told)
        console = _console()
        print_report(made.report, console, every=verbose)
        if made.folder is None:
            console.print("\nno package was written")
            sys.exit(SHUT)
        console.print(f"\nwrote {made.folder} ({count(made.files, 'file')}, {human_size(made.bytes)})", soft_wrap=True)
        for path in (made.evidence, made.archive):
            if path:
                console.print(f"wrote {path}", soft_wrap=True)
        console.print(f"SHA-256 of its SHA256SUMS.txt: {made.digest}", soft_wrap=True)


@main.command()
@click.argument("package", type=click.Path(path_type=Path))
@profile_option
@fail_on_option
@exceptions_option
@click.option("--format", "formats", multiple=True, metavar="FORMAT[=FILE]", help="As for validate. [default: text]")
@click.option(
    "--rehearse", is_flag=True, help="Serve the package on loopback, download it with wfdb and like wget, and compare."
)
@workers_option
@click.option("-v", "--verbose", is_flag=True, help="List every finding.")
@quiet_option
def verify(
    package: Path,
    profile_name: str,
    fail_on: str,
    exceptions: Path | None,
    formats: tuple[str, ...],
    rehearse: bool,
    workers: int | None,
    verbose: bool,
    quiet: bool,
) -> None:
    """Check PACKAGE, a folder or a zip: sums, layout, names, and the gate again on its bytes.

    The exceptions that were used to make it hold again, where its evidence lies beside it.
    """
    outputs = _outputs(formats)
    with refusals(workers=True):
        from pedicxr_release.finding import Severity
        from pedicxr_release.package.verify import verify_package
        from pedicxr_release.profile import load_profile
        from pedicxr_release.validation import GateOptions

        loaded = load_profile(profile_name)
        kept = package.absolute().parent / f"{loaded.release.folder_name}.evidence" / "exceptions.json"
        recorded = _exceptions(package, exceptions or (kept if kept.is_file() else None))
        with _progress(quiet=quiet) as told:
            verified = verify_package(
                package,
                loaded,
                GateOptions(Severity(fail_on), workers=workers),
                exceptions=recorded,
                rehearsal=rehearse,
                **told,
            )
        _write_reports(verified.report, outputs, verbose=verbose, with_evidence=False)
        if any(name == "text" for name, file in outputs if file is None):
            _console().print(f"\n{verified.files} of {verified.listed} files have the SHA-256 that SHA256SUMS.txt lists")
    sys.exit(OPEN if verified.report.verdict == "pass" else SHUT)


@main.command()
@click.argument("before", type=click.Path(path_type=Path))
@click.argument("after", type=click.Path(path_type=Path))
@profile_option
@click.option("--format", "formats", multiple=True, metavar="FORMAT[=FILE]",
              help="text, json or markdown, for release notes; several with =FILE. [default: text]")  # fmt: skip
@click.option("--exit-code", is_flag=True, help="Exit with 1 if there is a difference.")
@workers_option
@quiet_option
def diff(
    before: Path, after: Path, profile_name: str, formats: tuple[str, ...], exit_code: bool, workers: int | None, quiet: bool
) -> None:
    """Say what differs between two candidates or packages, folders or zips: files, boxes, labels, Table 3."""
    outputs = _outputs(formats, DIFF_FORMATS)
    with refusals(workers=True):
        from pedicxr_release.diff.compare import compare
        from pedicxr_release.diff.write import WRITERS
        from pedicxr_release.profile import load_profile

        loaded = load_profile(profile_name)
        with _progress(quiet=quiet) as told:
            difference = compare(before, after, loaded, workers=workers, **told)
        for name, file in outputs:
            with _open(file) if file else nullcontext(sys.stdout) as stream:
                click.echo(WRITERS[name](difference), file=stream, nl=False)
    sys.exit(SHUT if exit_code and not difference.empty else OPEN)


# -- checks ---------------------------------------------------------------------------------------------------------


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
@profile_option
@click.option("--reveal", is_flag=True, help="Show values too: to a terminal only, never to a pipe or a file.")
def inspect(file: Path, profile_name: str, reveal: bool) -> None:
    """Show what one image FILE consists of, with each element's state and without values."""
    if reveal and not sys.stdout.isatty():
        raise Refusal("--reveal shows values that may identify a child, and only to a terminal; standard output is none")
    with refusals():
        from pedicxr_release.examine.inspection import inspect_file
        from pedicxr_release.profile import load_profile
        from pedicxr_release.report.inspection import print_inspection

        loaded = load_profile(profile_name)
        try:
            inspection = inspect_file(file, loaded, reveal=reveal)
        except OSError as error:
            raise Refusal(f"{file}: cannot be read: {reason(error)}") from None
        console = _console()
        if reveal:
            console.print("[bold red]VALUES ARE SHOWN.[/bold red] They may identify a child: let nobody look, keep no copy.\n")
        print_inspection(inspection, console)
    sys.exit(SHUT if inspection.record.findings else OPEN)


@main.command()
@click.argument("code")
def explain(code: str) -> None:
    """Say what the check CODE looks for, why, and what to do. CODE is a code or a name."""
    with refusals():
        from pedicxr_release.finding import catalogue

        wanted = code.strip()
        check = catalogue().get(wanted.upper()) or next((c for c in catalogue().values() if c.name == wanted.lower()), None)
        if check is None:
            raise Refusal(f"no check {wanted}; `pedicxr-release checks` lists them all")
        console = _console()
        console.print(f"[bold]{check.code}[/bold] {check.name} ({check.severity.value})\n")
        for title, text in (
            ("rule", check.what),
            ("why", check.why),
            ("remedy", check.remedy),
            ("source", check.source),
        ):
            console.print(f"[bold]{title:7}[/bold] {text}", markup=True)
        if check.declared_counts:
            console.print("\nInformation only, unless --published or the profile's enforce_reference makes it a duty.")


@main.command()
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def checks(form: str) -> None:
    """List every check."""
    with refusals():
        from pedicxr_release.finding import catalogue

        if form == "json":
            import json

            click.echo(json.dumps([check.model_dump(mode="json") for check in catalogue().values()], indent=2))
            return
        width = max(len(check.name) for check in catalogue().values())
        for check in catalogue().values():
            click.echo(f"{check.code}  {check.severity.value:7}  {check.name:{width}}  {check.what}")


# -- profile --------------------------------------------------------------------------------------------------------


@main.group()
def profile() -> None:
    """Show, check or start a profile: what a release looks like."""


@profile.command("show")
@click.argument("name", default="pedicxr")
def profile_show(name: str) -> None:
    """Say what the profile NAME expects."""
    with refusals():
        from pedicxr_release.profile import load_profile
        from pedicxr_release.report.profile import print_profile

        print_profile(load_profile(name), _console())


@profile.command("lint")
@click.argument("name", default="pedicxr")
def profile_lint(name: str) -> None:
    """Check the profile NAME and say what is wrong with it, by file, line and key."""
    with refusals():
        from pedicxr_release.profile import load_profile

        loaded: Profile = load_profile(name)
    click.echo(f"{loaded.release.name} {loaded.release.version}: the profile is sound (digest {loaded.digest[:12]})")


@profile.command("init")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--from", "source", default="pedicxr", show_default=True, metavar="NAME", help="The profile to start from.")
def profile_init(folder: Path, source: str) -> None:
    """Start a profile of your own in FOLDER, as a copy to be edited."""
    with refusals():
        import shutil

        from pedicxr_release.profile import profile_folder

        if folder.exists() and any(folder.iterdir()):
            raise Refusal(f"{folder} exists and is not empty")
        try:
            shutil.copytree(profile_folder(source), folder, dirs_exist_ok=True)
        except OSError as error:
            raise Refusal(f"{folder}: cannot be written: {reason(error)}") from None
    click.echo(f"wrote {folder}; edit its files, then: pedicxr-release profile lint {folder}")


# -- schema ---------------------------------------------------------------------------------------------------------------


@main.command()
@click.argument("what", type=click.Choice(["report", "stats", "profile"]))
def schema(what: str) -> None:
    """Print the JSON Schema of the JSON report, of `stats --format json`, or of a profile's files."""
    with refusals():
        import json

        from pedicxr_release.profile import profile_json_schema
        from pedicxr_release.report.document import json_schema
        from pedicxr_release.stats.table3 import Table3 as Document

        schemas = {"report": json_schema, "stats": Document.model_json_schema, "profile": profile_json_schema}
        click.echo(json.dumps(schemas[what](), indent=2))


# -- demo -----------------------------------------------------------------------------------------------------------


@main.command()
@click.argument("out", type=click.Path(path_type=Path))
@profile_option
@click.option("--images", type=click.IntRange(min=2), default=40, show_default=True, help="Number of images over all splits.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="The same seed gives the same bytes.")
@click.option(
    "--downscale", type=click.FloatRange(min=1, max=64), default=4, show_default=True, help="Divides the image size."
)
@click.option("--full", is_flag=True, help="As many images as declared, of full size: Table 3 equals the reference. 1.4 GB.")
@click.option("--fault", "faults", multiple=True, metavar="NAME", help="Plant a fault; may be repeated. See --list-faults.")
@click.option("--list-faults", is_flag=True, is_eager=True, expose_value=False,
              callback=lambda context, _parameter, wanted: _list_faults(context) if wanted else None,
              help="List the faults and exit.")  # fmt: skip
@quiet_option
def demo(
    out: Path, profile_name: str, images: int, seed: int, downscale: float, full: bool, faults: tuple[str, ...], quiet: bool
) -> None:
    """Make a synthetic candidate in OUT: clean, or with faults."""
    with refusals():
        from pedicxr_release.demo.faults import FAULTS, plant
        from pedicxr_release.demo.write import write_demo
        from pedicxr_release.profile import load_profile

        unknown = sorted(set(faults) - set(FAULTS))
        if unknown:
            raise Refusal(f"no fault {', '.join(unknown)}; --list-faults lists them all")
        loaded = load_profile(profile_name)
        if full:
            images, downscale = sum(split.images for split in loaded.release.splits.values()), 1
        try:
            with _counter(images, quiet=quiet) as told:
                made = write_demo(out, loaded, images, seed, downscale=downscale, tiled=full, progress=told)
            for name in faults:
                try:
                    plant(name, made)
                except (IndexError, StopIteration):
                    raise Refusal(f"the fault {name} needs a candidate of more images than {images}") from None
                except KeyError as error:
                    raise Refusal(
                        f"the fault {name} needs {error.args[0]}, which the profile {loaded.release.name} has not"
                    ) from None
        except FileExistsError:
            raise
        except OSError as error:
            raise Refusal(f"{out}: cannot be written: {reason(error)}", INCOMPLETE) from None
    click.echo(f"made {images} synthetic images in {out}" + (f", with: {', '.join(faults)}" if faults else ""))


@contextmanager
def _counter(total: int, *, quiet: bool) -> Iterator[Any]:
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.progress import Progress

    with Progress(console=_console(stderr=True), transient=True) as bar:
        task = bar.add_task("drawing", total=total)
        yield lambda made: bar.update(task, advance=made)


def _list_faults(context: click.Context) -> None:
    from pedicxr_release.demo.faults import FAULTS
    from pedicxr_release.finding import catalogue

    for fault in FAULTS.values():
        click.echo(f"{fault.name:26} {fault.code}  {catalogue()[fault.code].severity.value:7}  {fault.what}")
    context.exit()
