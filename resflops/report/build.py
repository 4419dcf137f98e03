"""Builds the reports, writes those that changed, and checks them against what they were made from.

Markdown is compared to the letter. A picture's bytes depend on matplotlib's version as well, so
the manifest keeps for each file what it was drawn from and what it was: a picture is stale when
its data or its drawing have changed, and damaged when its bytes have; another machine's
matplotlib makes it neither. Nor does another machine's torch: pages name the environment in
which something of them last changed.
"""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from msgspec import Struct

from resflops.errors import FileError
from resflops.report.context import Context
from resflops.report.environment import Versions, read_versions
from resflops.report.page import Document
from resflops.report.pages import PAGES
from resflops.report.pages.index import build_index
from resflops.report.timed import build_ratios
from resflops.storage import Stored
from resflops.storage.writing import write_bytes

__all__ = ["MANIFEST", "FileDifference", "Manifest", "PictureFile", "find_differences", "rebuild"]

MANIFEST = "manifest.json"

Say = Callable[[str], None]


class PictureFile(Struct, frozen=True, kw_only=True):
    """A picture as it was written."""

    drawn_from: str
    """Digest of its data and of the code that draws them."""
    sha256: str
    """Digest of the file."""


class Manifest(Stored, frozen=True, kw_only=True, tag="reports"):
    """What ``rebuild`` wrote, in the folder of the reports."""

    environment: Versions
    documents: tuple[str, ...]
    pictures: dict[str, PictureFile]


class FileDifference(Struct, frozen=True, kw_only=True):
    """A file that is not what its data make of it."""

    path: str
    state: Literal["missing", "changed", "stale", "damaged", "left over"]


class _Content(Struct, frozen=True, kw_only=True):
    """The files that there should be."""

    texts: dict[str, bytes]
    pictures: dict[str, tuple[str, Callable[[], bytes]]]
    """For each path the digest of what the picture is drawn from, and the function that draws it."""


def find_differences(
    folder: Path, *, say: Say = lambda _: None, fresh: bool = False
) -> tuple[FileDifference, ...]:
    """Find where the reports in a folder no longer match their data; empty if they all do.

    Args:
        folder: of the reports.
        say: called with a line of progress.
        fresh: whether to trace models even if traces of them are stored.

    Raises:
        FileError: there are no reports, or a file cannot be read.
    """
    if not (folder / MANIFEST).exists():
        raise FileError(
            f"there are no reports in {folder}: it has no {MANIFEST}; make them with resflops report"
        )
    manifest = Manifest.load(folder / MANIFEST)
    # With the manifest's versions: no page is stale only because another machine checks it.
    return _compare_content(folder, manifest, _build_content(folder, manifest.environment, say, fresh=fresh))


def rebuild(folder: Path, *, say: Say = lambda _: None, fresh: bool = False) -> tuple[str, ...]:
    """Build the reports; files that match their data already are left alone.

    Args:
        folder: of the reports.
        say: called with a line of progress.
        fresh: whether to trace models even if traces of them are stored.

    Returns:
        The paths of the files that were written or removed, none if everything matched.

    Raises:
        FileError: a file cannot be read or written.
    """
    _make_folder(folder)
    known = Manifest.load(folder / MANIFEST) if (folder / MANIFEST).exists() else None
    if known and not _compare_content(
        folder, known, _build_content(folder, known.environment, say, fresh=fresh)
    ):
        return ()
    now = read_versions()
    content = _build_content(folder, now, say, fresh=fresh)
    written = [path for path, text in content.texts.items() if _write_if_changed(folder / path, text)]
    pictures = dict(_draw_pictures(folder, known, content, say))
    written += [path for path, (_, new) in pictures.items() if new]
    removed = [path for path in _list_paths(known) if path not in content.texts | content.pictures]
    for path in removed:
        (folder / path).unlink(missing_ok=True)
    # Last, so that what an interrupted run wrote is found out of date and not taken for good.
    Manifest(
        environment=now,
        documents=tuple(content.texts),
        pictures={path: record for path, (record, _) in pictures.items()},
    ).save(folder / MANIFEST)
    return (*written, *removed, MANIFEST)


def _build_content(folder: Path, made_with: Versions, say: Say, *, fresh: bool) -> _Content:
    context = Context(folder, environment=made_with, say=say, fresh=fresh)
    available = [page for page in PAGES if not page.data or context.data(page.data)]
    documents: list[Document] = [document for page in available for document in page.build(context)]
    lacking = [page for page in PAGES if page not in available]
    # Of each device the file with the most settings: the others explain it.
    pairs = sorted(context.paper_pairs.values(), key=lambda pair: len(pair.settings))
    by_device = {pair.device: pair for pair in pairs}
    timed = [found for pair in by_device.values() if (found := build_ratios(pair))]
    documents.append(build_index(context, pages=available, lacking=lacking, timed=timed))
    return _Content(
        texts={document.path: document.text.encode() for document in documents},
        pictures={
            path: (picture.digest, make)
            for document in documents
            for picture in document.pictures
            for path, make in picture.list_files()
        },
    )


def _compare_content(folder: Path, manifest: Manifest, content: _Content) -> tuple[FileDifference, ...]:
    return (
        *(
            FileDifference(path=path, state="changed" if (folder / path).exists() else "missing")
            for path, text in content.texts.items()
            if _read(folder / path) != text
        ),
        *_compare_pictures(folder, manifest, content),
        *(
            FileDifference(path=path, state="left over")
            for path in _list_paths(manifest)
            if path not in content.texts | content.pictures
        ),
    )


def _compare_pictures(folder: Path, manifest: Manifest, content: _Content) -> Iterator[FileDifference]:
    for path, (digest, _) in content.pictures.items():
        known, current = manifest.pictures.get(path), _read(folder / path)
        if current is None:
            yield FileDifference(path=path, state="missing")
        elif known is None or known.drawn_from != digest:
            yield FileDifference(path=path, state="stale")
        elif known.sha256 != _compute_sha256(current):
            yield FileDifference(path=path, state="damaged")


def _draw_pictures(
    folder: Path, known: Manifest | None, content: _Content, say: Say
) -> Iterator[tuple[str, tuple[PictureFile, bool]]]:
    """Draw what is out of date; yield each picture's record, and whether its file was written."""
    for path, (digest, draw) in content.pictures.items():
        before = known.pictures.get(path) if known else None
        current = _read(folder / path)
        if (
            before
            and current is not None
            and (before.drawn_from, before.sha256) == (digest, _compute_sha256(current))
        ):
            yield path, (before, False)
            continue
        say(f"drawing {path}")
        image = draw()
        _write_if_changed(folder / path, image)
        yield path, (PictureFile(drawn_from=digest, sha256=_compute_sha256(image)), True)


def _list_paths(manifest: Manifest | None) -> tuple[str, ...]:
    return (*manifest.documents, *manifest.pictures) if manifest else ()


def _write_if_changed(path: Path, content: bytes) -> bool:
    """Write a file unless it holds the content already; tell whether it was written."""
    if _read(path) == content:
        return False
    _make_folder(path.parent)
    write_bytes(path, content)
    return True


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise FileError(f"could not make the folder {folder}: there is a file of that name") from error
    except OSError as error:
        raise FileError(
            f"could not make the folder {folder}: {error.strerror}; choose another place"
        ) from error


def _read(path: Path) -> bytes | None:
    """Read a file; None if there is none."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FileError(f"could not read {path}: {error.strerror}") from error


def _compute_sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
