"""Which peers are installed, and in which version; none of them is imported to find out."""

import base64
import hashlib
from collections.abc import Iterator
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from resflops.cost.convention import Convention
from resflops.counters.registry import Peer

__all__ = ["find_installed_version", "list_figures"]

SHARED_IMPORT = {"thop": "thop", "ultralytics-thop": "thop"}
"""Distributions that install a package of the same name: of two, only the last one is there."""


def find_installed_version(peer: Peer) -> str | None:
    """The version of a peer that would be imported; None if there is none."""
    from packaging.version import Version

    try:
        found = metadata.distribution(peer.distribution)
    except metadata.PackageNotFoundError:
        return None
    package = SHARED_IMPORT.get(peer.distribution)
    if package is not None and not _is_imported_from(found, package):
        return None
    # One spelling for 0.1.1-2209072238 and 0.1.1.post2209072238, as pip has it.
    return str(Version(found.version))


def list_figures(peer: Peer) -> Iterator[tuple[str, Convention]]:
    """The name of each figure that a peer gives, and the convention that explains it as it is installed."""
    try:
        version = metadata.version(peer.decided_by or peer.distribution)
    except metadata.PackageNotFoundError:
        version = ""
    yield from zip((each.name for each in peer.conventions), peer.find_conventions(version), strict=True)


def _is_imported_from(found: metadata.Distribution, package: str) -> bool:
    """Whether the files of a package are the ones that a distribution brought, and not another's."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        return False
    here = Path(spec.origin).resolve()
    for file in found.files or ():
        if Path(str(file.locate())).resolve() == here:
            return file.hash is None or file.hash.value == _compute_digest(here, file.hash.mode)
    return False


def _compute_digest(path: Path, mode: str) -> str:
    """A file's digest as a RECORD holds it."""
    digest = hashlib.new(mode, path.read_bytes()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
