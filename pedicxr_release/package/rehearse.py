"""A download rehearsal: serve the package on loopback as PhysioNet does, fetch it with its users' clients, compare.

The clients are `wfdb`, set to this server, and a walk over the folder pages as ``wget -r -np`` does it.
"""

from __future__ import annotations

import functools
import hashlib
import http.server
import tempfile
import threading
import urllib.parse
import urllib.request
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

from pedicxr_release.finding import Finding, Location

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pedicxr_release.profile import Release

BLOCK = 1 << 20


class _Handler(http.server.SimpleHTTPRequestHandler):
    """Serves one folder under ``/files/<slug>/<version>/`` and says nothing."""

    prefix = "/"

    def translate_path(self, path: str) -> str:
        """Map a URL's path into the package."""
        rest = urllib.parse.urlsplit(path).path.removeprefix(self.prefix)
        return super().translate_path("/" + rest) if path.startswith(self.prefix) else str(Path(self.directory) / "\0nowhere")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the name in the standard library)
        """Write no log: names could be in it."""


@contextmanager
def served(package: Path, release: Release) -> Iterator[str]:
    """Serve a package on loopback; give the URL under which ``<slug>/<version>/`` stands."""
    prefix = f"/files/{release.slug}/{release.version}/"
    handler = functools.partial(type("Handler", (_Handler,), {"prefix": prefix}), directory=str(package))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/files"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def rehearse(package: Path, release: Release) -> list[Finding]:
    """Download a package with both clients and compare every file's digest.

    Returns
    -------
    list of Finding
        A file that is missing, added or changed after the download.
    """
    expected = folder_digests(package)
    findings = []
    with served(package, release) as url, tempfile.TemporaryDirectory(prefix="pedicxr-") as folder:
        clients = {"wget": _walk_pages, "wfdb": _wfdb}
        for client, fetch in clients.items():
            target = Path(folder) / client
            target.mkdir()
            fetch(url, release, target, sorted(expected))
            got = folder_digests(target)
            for path in sorted(expected.keys() | got.keys()):
                if expected.get(path) != got.get(path):
                    how = "missing" if path not in got else "not in the package" if path not in expected else "another"
                    findings.append(Finding("PKG109", path, facts={"client": client, "how": how}))
    return findings


def folder_digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below a folder, by path."""
    digests = {}
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                digests[path.relative_to(folder).as_posix()] = hashlib.file_digest(file, "sha256").hexdigest()
    return digests


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found += [value for name, value in attrs if name == "href" and value]


def _walk_pages(url: str, release: Release, target: Path, _files: list[str]) -> None:
    """Follow every link below the package's page, as ``wget -r -np -nH --cut-dirs`` does."""
    start = f"{url}/{release.slug}/{release.version}/"
    pending, seen = [start], {start}
    while pending:
        page = pending.pop()
        with urllib.request.urlopen(page) as answer:  # noqa: S310 (our own server on loopback)
            links = _Links()
            links.feed(answer.read().decode("utf-8"))
        for link in links.found:
            address = urllib.parse.urljoin(page, link)
            if not address.startswith(start) or address in seen:
                continue
            seen.add(address)
            if address.endswith("/"):
                pending.append(address)
            else:
                _fetch(address, target / urllib.parse.unquote(address[len(start) :]))


def _fetch(address: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with urllib.request.urlopen(address) as answer, target.open("wb") as file:  # noqa: S310 (our own server on loopback)
        while block := answer.read(BLOCK):
            file.write(block)


def _wfdb(url: str, release: Release, target: Path, files: list[str]) -> None:
    """Download the files by name with wfdb, from this server instead of PhysioNet's.

    `wfdb.dl_files` first asks PhysioNet's pages for the version; what it then does for each file is done here.
    """
    from wfdb.io import download

    before = download.config.db_index_url
    download.set_db_index_url(url)
    try:
        inputs = [
            (
                Path(f).name,
                str(Path(f).parent) if "/" in f else "",
                f"{release.slug}/{release.version}",
                str(target),
                True,
                True,
            )
            for f in files
        ]
        download.make_local_dirs(str(target), inputs, keep_subdirs=True)
        for one in inputs:
            download.dl_pn_file(one)
    finally:
        download.set_db_index_url(before)


def judge_records(root: Path) -> list[Finding]:
    """Report a line of a RECORDS file that names what wfdb cannot read as a record."""
    file = root / "RECORDS"
    if not file.is_file():
        return []
    import wfdb

    findings = []
    for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
        name = line.strip()
        inside = name and not name.startswith("/") and ".." not in name.split("/")
        try:
            if not inside:
                raise ValueError(name)  # noqa: TRY301
            wfdb.rdheader(str(root / name))
        except Exception:  # noqa: BLE001 (whatever wfdb raises, it is no record; the text quotes the line)
            findings.append(Finding("PKG108", "RECORDS", Location(row=number)))
    return findings
