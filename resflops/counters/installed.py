"""Find out which peers are installed, and in which version, without importing any of them."""

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
"""Distributions that install a package of the same name: the one installed last overwrites the other."""


def find_installed_version(peer: Peer) -> str | None:
    """Find the version of a peer that an import would give; None if the peer is not installed."""
    from packaging.version import Version

    try:
        distribution = metadata.distribution(peer.distribution)
    except metadata.PackageNotFoundError:
        return None
    package = SHARED_IMPORT.get(peer.distribution)
    if package is not None and not _is_imported_from(distribution, package):
        return None
    # One spelling for 0.1.1-2209072238 and 0.1.1.post2209072238, as pip has it.
    return str(Version(distribution.version))


def list_figures(peer: Peer) -> Iterator[tuple[str, Convention]]:
    """Yield the name of each figure that a peer gives, with the convention of the installed version.

    A peer that is not installed gives its newest conventions.
    """
    try:
        version = metadata.version(peer.decided_by or peer.distribution)
    except metadata.PackageNotFoundError:
        version = ""
    # A figure has the name of its newest convention, whatever edition is installed.
    yield from zip((newest.name for newest in peer.conventions), peer.find_conventions(version), strict=True)


def _is_imported_from(distribution: metadata.Distribution, package: str) -> bool:
    """Whether the files of a package are those that a distribution installed, and not another's."""
    # By digest and not by metadata: pip leaves the metadata of the overwritten distribution in place.
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        return False
    path = Path(spec.origin).resolve()
    for file in distribution.files or ():
        if Path(str(file.locate())).resolve() == path:
            return file.hash is None or file.hash.value == _compute_digest(path, file.hash.mode)
    return False


def _compute_digest(path: Path, mode: str) -> str:
    """Compute a file's digest as a RECORD holds it: in URL-safe base64, without its padding."""
    digest = hashlib.new(mode, path.read_bytes()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
