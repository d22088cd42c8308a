"""Where a dataset lies: a folder of this machine, or whatever fsspec has a file system for.

A remote file is read into memory and never put on a disk of this machine.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, NamedTuple, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Sequence

Kind = Literal["file", "folder", "symbolic link", "device", "socket", "named pipe"]


class SourceError(ValueError):
    """There is no dataset where one was said to lie, or it may not be listed."""


class UnreadableError(OSError):
    """A remote file cannot be read; the message says why, and quotes nothing."""


class Child(NamedTuple):
    """One name in a folder, with what the file system says of it: see `pedicxr_release.candidate.Entry`."""

    name: str
    kind: Kind
    size: int
    mode: int
    mtime_ns: int = 0
    ctime_ns: int = 0
    inode: int = 0
    xattrs: tuple[str, ...] = ()


class Folder(Protocol):
    """A dataset's folder. Paths are relative to it, with ``/``; the empty path is the folder itself."""

    @property
    def shown(self) -> str:
        """Where it lies, as it was given, without anything that opens it for others."""
        ...

    @property
    def path(self) -> Path | None:
        """The folder on this machine, if it is one."""
        ...

    def children(self, path: str) -> list[Child]:
        """What lies directly in a folder, in no order; the list is the caller's. Raises `OSError`."""
        ...

    def size(self, path: str) -> int:
        """Bytes of a file. Raises `OSError`."""
        ...

    def open(self, path: str) -> BinaryIO:
        """Open a file for reading. Raises `OSError`."""
        ...

    def locate(self, path: str) -> str:
        """What `pedicxr_release.examine.record.ImageFile.source` is for a file."""
        ...

    def again(self) -> Folder:
        """The folder as it is now. Raises `SourceError`."""
        ...


def open_folder(where: Path | str) -> Folder:
    """Find a dataset's folder.

    Parameters
    ----------
    where
        A path, or a URL whose scheme fsspec knows, such as ``s3://bucket/candidate`` or ``zip://::candidate.zip``.

    Raises
    ------
    SourceError
        When there is none, it is no folder, it may not be read, or a package that its scheme needs is not installed.
    """
    path = local_path(where)
    return LocalFolder(path) if path else RemoteFolder(str(where))


def local_path(where: Path | str) -> Path | None:
    """Return the path on this machine; None for a URL of another place."""
    text = str(where)
    if isinstance(where, str) and "://" in text and not text.startswith("file://"):
        return None
    return Path(text.removeprefix("file://"))


# -- on this machine ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LocalFolder:
    """A folder of this machine. No link in it is followed."""

    path: Path

    def __post_init__(self) -> None:
        try:
            with os.scandir(self.path):
                pass
        except FileNotFoundError:
            raise SourceError(f"{self.path}: there is no such folder") from None
        except NotADirectoryError:
            raise SourceError(f"{self.path}: not a folder; give the folder that holds the splits and the tables") from None
        except OSError as error:
            raise SourceError(f"{self.path}: cannot be read: {reason(error)}") from None

    @property
    def shown(self) -> str:
        """See `Folder`."""
        return str(self.path)

    def children(self, path: str) -> list[Child]:
        """See `Folder`."""
        with os.scandir(self.path / path) as listing:
            return [self._child(entry) for entry in listing]

    @staticmethod
    def _child(entry: os.DirEntry[str]) -> Child:
        status = entry.stat(follow_symlinks=False)
        kind, mode = _kind(status.st_mode), stat.S_IMODE(status.st_mode)
        times = status.st_mtime_ns, status.st_ctime_ns
        return Child(entry.name, kind, status.st_size, mode, *times, status.st_ino, _xattrs(entry.path, kind))

    def size(self, path: str) -> int:
        """See `Folder`."""
        return (self.path / path).stat().st_size

    def open(self, path: str) -> BinaryIO:
        """See `Folder`."""
        return (self.path / path).open("rb")

    def locate(self, path: str) -> str:
        """See `Folder`."""
        return os.path.join(os.path.abspath(self.path), path)  # noqa: PTH118, PTH100 (a million of them)

    def again(self) -> LocalFolder:
        """See `Folder`."""
        return self


def _kind(mode: int) -> Kind:
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "folder"
    if stat.S_ISLNK(mode):
        return "symbolic link"
    if stat.S_ISSOCK(mode):
        return "socket"
    if stat.S_ISFIFO(mode):
        return "named pipe"
    return "device"


def _xattrs(path: str, kind: Kind) -> tuple[str, ...]:
    if kind not in ("file", "folder") or not hasattr(os, "listxattr"):
        return ()
    try:
        return tuple(os.listxattr(path, follow_symlinks=False))
    except OSError:
        return ()


# -- elsewhere ------------------------------------------------------------------------------------------------------


class RemoteFolder:
    """A folder behind a URL; listed once. What it lists has no times, and plain permissions.

    Parameters
    ----------
    url
        As fsspec takes it. Credentials are those that its packages find by themselves (``~/.aws``, ``AWS_…``,
        ``GOOGLE_APPLICATION_CREDENTIALS``, ``~/.netrc``, ``~/.config/fsspec``).
    """

    path = None

    def __init__(self, url: str) -> None:
        self.shown = re.sub(r"://[^/@:]*(:[^/@]*)?@", "://", url.partition("?")[0])
        self._url = url
        self._files = RemoteFiles(url)
        try:
            self._folders = self._list()
        except FileNotFoundError:
            raise SourceError(f"{self.shown}: there is nothing there") from None
        except SourceError:
            raise
        except Exception as error:  # noqa: BLE001 (each file system has errors of its own; their texts may quote keys)
            raise SourceError(f"{self.shown}: cannot be listed: {reason(error)}") from None
        if not self._folders:
            raise SourceError(f"{self.shown}: there is nothing there")

    def _list(self) -> dict[str, list[Child]]:
        """Find what lies in each folder."""
        folders: dict[str, dict[str, Child]] = {}
        for path, size in self._files.sizes().items():
            parent, _, name = path.rpartition("/")
            folders.setdefault(parent, {})[name] = Child(name, "file", size, 0o644)
            while parent:
                above, _, name = parent.rpartition("/")
                folders.setdefault(above, {}).setdefault(name, Child(name, "folder", 0, 0o755))
                parent = above
        return {folder: list(children.values()) for folder, children in folders.items()}

    def children(self, path: str) -> list[Child]:
        """See `Folder`."""
        return list(self._folders.get(path, ()))

    def size(self, path: str) -> int:
        """See `Folder`."""
        parent, _, name = path.rpartition("/")
        return next(child.size for child in self._folders[parent] if child.name == name)

    def open(self, path: str) -> BinaryIO:
        """See `Folder`."""
        try:
            return cast("BinaryIO", self._files.open(self.locate(path)))
        except Exception as error:  # noqa: BLE001
            raise UnreadableError(reason(error)) from None

    def locate(self, path: str) -> str:
        """See `Folder`."""
        return self._files.located[path]

    def again(self) -> RemoteFolder:
        """See `Folder`."""
        return RemoteFolder(self._url)


class RemoteFiles:
    """The files behind a URL, read by name.

    Parameters
    ----------
    url
        As in `RemoteFolder`.

    Raises
    ------
    SourceError
        When fsspec does not know the scheme, or what it needs for it is not installed.
    """

    def __init__(self, url: str) -> None:
        from fsspec.core import url_to_fs

        scheme = url.partition("://")[0]
        try:
            self._system, self._root = url_to_fs(url)
        except ImportError:
            raise SourceError(f"{scheme}:// needs another package: pip install 'pedicxr-release[remote]'") from None
        except ValueError:
            raise SourceError(f"{scheme}:// is no scheme that fsspec knows") from None
        except Exception as error:  # noqa: BLE001 (a chained URL opens what it is chained to)
            raise SourceError(f"{scheme}:// cannot be opened: {reason(error)}") from None
        self.located: dict[str, str] = {}

    def sizes(self) -> dict[str, int]:
        """List all files below the URL: size in bytes by path relative to it. Fills `located`."""
        from urllib.parse import unquote

        self._system.invalidate_cache()
        found: dict[str, Any] = self._system.find(self._root, detail=True)
        if not found:
            self._system.ls(self._root)  # `find` takes a store that does not answer for an empty one
        unknown = [name for name, info in found.items() if info.get("size") is None]
        sizes = dict(zip(unknown, self._system.sizes(unknown), strict=True)) if unknown else {}
        prefix = self._root.rstrip("/") + "/" if self._root else ""
        listed = {}
        for name, info in found.items():
            path = name.removeprefix(prefix).lstrip("/")
            if "://" in prefix:
                path = unquote(path)  # the listing is of links
            if path and not (name.endswith("/") and not info.get("size")):  # some stores mark a folder by an empty object
                self.located[path] = name
                listed[path] = int(info.get("size") if info.get("size") is not None else sizes[name] or 0)
        return listed

    def open(self, name: str) -> Any:  # noqa: ANN401 (a file of fsspec)
        """Open a file for reading."""
        return self._system.open(name, "rb")

    def read(self, ranges: Sequence[tuple[str, int, int]]) -> list[bytes | OSError]:
        """Read ranges of files, many at once.

        Parameters
        ----------
        ranges
            Name as in `located`, first byte, and the byte after the last, which may lie beyond the end.

        Returns
        -------
        list
            What was read of each, or why it could not be.
        """
        names, starts, ends = ([one[position] for one in ranges] for position in range(3))
        contents = self._system.cat_ranges(names, starts, ends, on_error="return")
        return [one if isinstance(one, bytes) else UnreadableError(reason(one)) for one in contents]


def reason(error: BaseException) -> str:
    """Say why something could not be read or written: in the system's words, without path or value."""
    if isinstance(error, UnreadableError):
        return str(error)
    if isinstance(error, OSError) and error.errno == errno.ELOOP:
        return "it is a symbolic link"
    if isinstance(error, OSError) and error.errno is not None:
        return os.strerror(error.errno).lower()
    if isinstance(error, FileNotFoundError):
        return "no such file or directory"
    return "permission denied" if isinstance(error, PermissionError) else type(error).__name__
