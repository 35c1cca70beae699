"""What goes into a package beside the model: which files, how much, and no secrets."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from _penstock import InvalidArgumentError
from penstock._checks import did_you_mean
from penstock._secrets import PARDON, is_file_of_secrets, secrets_in

FILES_MAX = 1000
GIT_SECONDS_MAX = 10
NAMES_MAX = 500  # that one command line names
_LISTED = "contents=penstock.Contents(include=[...])"


@dataclass(frozen=True)
class Contents:
    """What goes into a package for Python workers beside the model itself.

    The Python files that a model needs are found and taken by themselves. Where git keeps them,
    only those that it tracks are. Nothing outside of the app's folder is taken, nothing that looks
    like a secret, and no more than ``mb_max``.

    Parameters
    ----------
    include
        Files and folders of the app's folder, relative to it: tables that the code reads from
        beside itself, modules that it imports by a name that it computes, files that git does not
        track. They lie beside the modules in the package.
    not_secret
        What was refused as a secret and is none: paths of files, or names of variables. A single
        line is let through by ``# penstock: not a secret`` at its end.
    mb_max
        MiB of all files together, and of each variable that a function takes along.

    Raises
    ------
    InvalidArgumentError
        ``include`` or ``not_secret`` is a text and no list, or ``mb_max`` is not above 0.

    Examples
    --------
    >>> contents = penstock.Contents(include=["regions.csv"], mb_max=100)
    >>> contents.mb_max
    100
    """

    include: Sequence[str] = ()
    not_secret: Sequence[str] = ()
    mb_max: float = 64

    def __post_init__(self) -> None:
        """Refuse what could be no list of names and no limit."""
        for name in ("include", "not_secret"):
            given = getattr(self, name)
            if isinstance(given, str):
                raise InvalidArgumentError(
                    f"{name} is '{given}'; a list was expected: {name}=['{given}']"
                )
        if not self.mb_max > 0:
            raise InvalidArgumentError(f"mb_max is {self.mb_max!r}; a number above 0 was expected")

    @property
    def bytes_max(self) -> int:
        """Return the limit in bytes."""
        return int(self.mb_max * 2**20)


@dataclass
class Gathered:
    """The files that a package takes, by their path from the folder that workers import from.

    Attributes
    ----------
    contents
        What the user said of them.
    folders
        The app's folder first: a file must lie under one of them.
    """

    contents: Contents
    folders: tuple[Path, ...]
    files: dict[str, bytes] = field(default_factory=dict)
    _origins: dict[str, Path] = field(default_factory=dict)

    def take_module(self, name: str, files: Iterable[tuple[Path, str]]) -> dict[str, bytes]:
        """Take the source of a module, and return it by path in the package.

        Of a package the files that git does not track are left out, unless they were imported.

        Raises
        ------
        InvalidArgumentError
            A file that must not be taken; a clause that names it.
        """
        found = [(path.resolve(), relative) for path, relative in files]
        outside = next((path for path, _ in found if self._root_of(path) is None), None)
        if outside is not None:
            raise InvalidArgumentError(
                f"its module '{name}' is '{outside}', outside of the app's folder "
                f"'{self.folders[0]}': put it into that folder, or install it as a package"
            )
        untracked = self._untracked(path for path, _ in found)
        needed = untracked & _imported() if len(found) > 1 else untracked
        taken = {}
        for path, relative in found:
            if path in untracked:
                if path in needed:
                    raise InvalidArgumentError(self._told_untracked(f"module '{name}'", path))
                continue
            taken[relative] = self._take(path, relative)
        return taken

    def take_included(self) -> None:
        """Take what the user listed.

        Raises
        ------
        InvalidArgumentError
            There is no such file, or one that must not be taken; a clause that names it.
        """
        root = self.folders[0]
        for name in self.contents.include:
            listed = (root / name).resolve()
            if not listed.exists():
                near = did_you_mean(name, [path.name for path in root.iterdir()])
                raise InvalidArgumentError(
                    f"contents lists '{name}', which is not in the app's folder '{root}'{near}"
                )
            if not listed.is_relative_to(root):
                raise InvalidArgumentError(
                    f"contents lists '{name}', which is outside of the app's folder '{root}': put "
                    f"it into that folder"
                )
            for path in [listed] if listed.is_file() else _files_under(listed):
                if not path.resolve().is_relative_to(root):
                    raise InvalidArgumentError(
                        f"contents lists '{name}', and '{path}' is a link to "
                        f"'{path.resolve()}', outside of the app's folder: copy the file"
                    )
                self._take(path, path.relative_to(root).as_posix())

    def _take(self, path: Path, relative: str) -> bytes:
        """Take one file, if it is no secret and there is room for it."""
        self._check_room(path, relative, path.stat().st_size)
        content = path.read_bytes()
        self._check_secrets(path, content)
        self.files[relative] = content
        self._origins[relative] = path
        return content

    def _check_room(self, path: Path, relative: str, size: int) -> None:
        sizes = {self._origins[name]: len(content) for name, content in self.files.items()}
        sizes[path] = size
        total = sum(sizes.values())
        if total > self.contents.bytes_max:
            largest = max(sizes, key=lambda each: sizes[each])
            raise InvalidArgumentError(
                f"the files for it have {mebibytes(total)}, the largest of them is '{largest}' "
                f"with {mebibytes(sizes[largest])}; {mebibytes(self.contents.bytes_max)} is the "
                f"limit: leave it out, or pass contents=penstock.Contents(mb_max=...)"
            )
        if len(self.files) + (relative not in self.files) > FILES_MAX:
            raise InvalidArgumentError(
                f"it needs more than {FILES_MAX:,} files of source, '{path}' among them: install "
                f"them as a package of their own"
            )

    def _check_secrets(self, path: Path, content: bytes) -> None:
        names = {path.name, str(path), *self._relatives(path)}
        if names & set(self.contents.not_secret):
            return
        shown = min(self._relatives(path), key=len, default=str(path))
        pardon = f"if it is none, pass contents=penstock.Contents(not_secret=['{shown}'])"
        if is_file_of_secrets(path.name):
            raise InvalidArgumentError(
                f"'{path}' is a file of secrets by its name, which no package takes: leave it "
                f"out; {pardon}"
            )
        text = content.decode("utf-8", errors="replace")
        for found in secrets_in(text, has_code=path.suffix == ".py"):
            if found.name in self.contents.not_secret:
                continue
            raise InvalidArgumentError(
                f"line {found.line} of '{path}' holds what looks like {found}, which no package "
                f"takes: read it from the environment where the model runs; if it is none, end "
                f"the line with '{PARDON}' in a comment"
            )

    def _relatives(self, path: Path) -> list[str]:
        under = [folder for folder in self.folders if path.is_relative_to(folder)]
        return [path.relative_to(folder).as_posix() for folder in under]

    def _root_of(self, path: Path) -> Path | None:
        return next((each for each in self.folders if path.is_relative_to(each)), None)

    def _untracked(self, paths: Iterable[Path]) -> set[Path]:
        """Return those files that git does not keep, of the ones whose folder it does."""
        listed = [(self.folders[0] / name).resolve() for name in self.contents.include]
        asked = [p for p in paths if not any(p.is_relative_to(each) for each in listed)]
        untracked: set[Path] = set()
        for top in {top for path in asked if (top := toplevel(path.parent)) is not None}:
            inside = [path for path in asked if toplevel(path.parent) == top]
            untracked |= set(inside) - tracked(top, inside)
        return untracked

    def _told_untracked(self, what: str, path: Path) -> str:
        name = min(self._relatives(path), key=len, default=path.name)
        return (
            f"its {what} is '{path}', which git does not track: git add it, or list it with "
            f"contents=penstock.Contents(include=['{name}'])"
        )


def _files_under(folder: Path) -> list[Path]:
    """Return the files of a listed folder: what git tracks where it does, nothing hidden."""
    found = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and not any(
            part.startswith(".") or part == "__pycache__" for part in path.relative_to(folder).parts
        )
    ]
    top = toplevel(folder)
    if top is None:
        return found
    kept = tracked(top, [folder])
    # A folder that git ignores was listed for what it holds.
    return [path for path in found if path in kept] if kept else found


def _imported() -> set[Path]:
    """Return the files of the modules that this process has imported."""
    files = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
    return {Path(file).resolve() for file in files if isinstance(file, str)}


def toplevel(folder: Path) -> Path | None:
    """Return the folder of the git repository that a folder is in, or None."""
    return next((each for each in (folder, *folder.parents) if (each / ".git").exists()), None)


def tracked(top: Path, paths: Sequence[Path]) -> set[Path]:
    """Return those files of a repository that git tracks.

    Raises
    ------
    InvalidArgumentError
        Git does not tell.
    """
    # One name for many files of a folder: a command line has an end.
    several = len(paths) > NAMES_MAX
    asked = {path.parent for path in paths} if several else set(paths)
    names = sorted(path.relative_to(top).as_posix() for path in asked)
    command = ["git", "--no-optional-locks", "--literal-pathspecs", "-C", str(top)]
    try:
        done = subprocess.run(
            [*command, "ls-files", "-z", "--", *names],
            capture_output=True,
            timeout=GIT_SECONDS_MAX,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        stderr = (getattr(error, "stderr", None) or b"").decode(errors="replace").strip()
        told = f": {stderr.splitlines()[0]}" if stderr else ""
        raise InvalidArgumentError(
            f"git does not tell which files of '{top}' it tracks{told}; list the files with "
            f"{_LISTED}"
        ) from error
    return {top / name for name in done.stdout.decode(errors="surrogateescape").split("\0") if name}


def app_folders(frame: FrameType | None) -> tuple[Path, ...]:
    """Return the folders that a package may take files from, the app's own first.

    The app is the file that calls Penstock, from `frame` outward; in a notebook, or where that file
    is installed, the working directory is its folder. Where git keeps a folder, all of its
    repository counts.
    """
    here = Path.cwd()
    while frame is not None and not _is_of_app(frame):
        frame = frame.f_back
    folders = [here]
    if frame is not None:
        folder = Path(frame.f_code.co_filename).resolve().parent
        depth = str(frame.f_globals.get("__package__") or "").count(".")
        if frame.f_globals.get("__package__"):
            folder = folder.parents[depth]
        folders = [folder]
    tops = [top for folder in folders if (top := toplevel(folder)) is not None]
    every = dict.fromkeys([*folders, *tops])
    return tuple(each for each in every if each != Path(each.anchor)) or (here,)


def _is_of_app(frame: FrameType) -> bool:
    path = Path(frame.f_code.co_filename)
    if not path.is_absolute():
        path = Path.cwd() / path
    return path.is_file() and not _is_ours(path) and not is_installed(path) and not _is_cell(path)


def _is_ours(path: Path) -> bool:
    return path.is_relative_to(Path(__file__).parent)


def _is_cell(path: Path) -> bool:
    return path.parent.name.startswith("ipykernel_")


def is_installed(place: Path) -> bool:
    """Tell whether a module's place is one that packages are installed in."""
    schemes = ("stdlib", "platstdlib", "purelib", "platlib", "scripts")
    folders = [Path(sysconfig.get_path(scheme)).resolve() for scheme in schemes]
    return any(place.is_relative_to(folder) for folder in folders) or any(
        part in {"site-packages", "dist-packages"} for part in place.parts
    )


def mebibytes(size: float) -> str:
    """Return a size as "1,234.5 MiB"."""
    return f"{size / 2**20:,.1f} MiB"
