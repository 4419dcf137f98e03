"""Define what a peer is, and register peers."""

from typing import TYPE_CHECKING, Literal

from msgspec import Struct
from msgspec.structs import replace

from resflops.cost.convention import CONVENTIONS, Convention, register_convention
from resflops.errors import DuplicateError, UsageError, suggest
from resflops.extensions import find_origin, load_extensions

if TYPE_CHECKING:
    from packaging.version import Version

__all__ = [
    "PEERS",
    "TIME_LIMIT",
    "CountsParameters",
    "Defect",
    "Edition",
    "Peer",
    "Verification",
    "find_peer",
    "load_more_peers",
    "register_peer",
]


TIME_LIMIT = 300
"""How many seconds a peer may take for one model, unless the caller gives another limit."""


class Defect(Struct, frozen=True, kw_only=True):
    """Something that a peer gets wrong, measured by its own documentation."""

    what: str
    issue: str = ""
    """The issue that reports it, as ``owner/repository#number``; ``""`` where we know of none."""


class CountsParameters(Struct, frozen=True, kw_only=True):
    """Which parameters a peer counts."""

    which: Literal["all", "trainable", "modules", "initialisers"]
    """All parameters, those that require a gradient, those of the modules that it has a rule for, or the
    initialisers of an ONNX file, constants among them."""
    modules: tuple[str, ...] = ()
    """The classes of ``torch.nn`` whose parameters it counts, if ``which`` is ``"modules"``."""
    tied_each_time: bool = False
    """Whether a tied parameter counts in every module that holds it."""
    passed_over: tuple[str, ...] = ()
    """The operators of ONNX whose initialisers it does not count, if ``which`` is ``"initialisers"``."""


Verification = Literal["verified", "newer", "older", "unknown"]
"""How a version relates to those that a peer's conventions were verified with.

It is one of them or lies between two of them, it is newer than the last, older than the first, or it cannot
be read as a version."""


class Edition(Struct, frozen=True, kw_only=True):
    """How a peer counted in a range of older versions."""

    since: str
    """The first version that counts in this way."""
    versions: tuple[str, ...]
    """The versions that the conventions have been verified with, the oldest first."""
    conventions: tuple[Convention, ...]
    """One convention for each figure of the peer, in the order of the peer's own ``conventions``."""


class Peer(Struct, frozen=True, kw_only=True):
    """Another counter: how it is installed, and how it counts."""

    name: str
    distribution: str
    """The distribution that installs it."""
    versions: tuple[str, ...]
    """The versions that ``conventions`` have been verified with, the oldest first."""
    conventions: tuple[Convention, ...]
    """How it counts today: one convention for each figure that it gives, the main figure first."""
    since: str = ""
    """The first version that counts in this way; ``""`` where it has never counted in another."""
    editions: tuple[Edition, ...] = ()
    """How it counted before ``since``, the oldest edition first."""
    takes: Literal["modules", "onnx"] = "modules"
    """What it counts: PyTorch modules, or ONNX files."""
    ask: str = ""
    """The function that asks it for its figures, as ``package.module:function``.

    It is imported only to run the peer. ``""`` where ``resflops.crosschecking.adapters`` has a function for
    the peer's name. Where the peer takes ONNX files, it is given a
    ``resflops.crosschecking.graph_files.GraphFile`` in place of a module and its inputs."""
    decided_by: str = ""
    """The package whose versions decide about the edition, where that is not the peer's own.

    How torch splits an op into others depends on torch alone, whichever counter watches."""
    counts_parameters: CountsParameters | None = None
    """Which parameters it counts; None if it gives no number of parameters."""
    repository: str
    """Its repository on GitHub, as ``owner/repository``."""
    origin: str = ""
    """The distribution that describes this peer; ``register_peer`` fills it in."""
    limits: tuple[str, ...] = ()
    """What a trace does not tell and the peer reacts to, so that a part of a figure stays unexplained."""
    defects: tuple[Defect, ...] = ()

    @property
    def convention(self) -> Convention:
        """The convention of the main figure."""
        return self.conventions[0]

    def verify(self, version: str) -> Verification:
        """Compare a version with the verified ones; a local part such as ``+cu132`` makes no difference."""
        given = _parse_version(version)
        if given is None:
            return "unknown"
        verified = [each for each in map(_parse_version, self.verified_versions) if each is not None]
        if given > max(verified):
            return "newer"
        return "older" if given < min(verified) else "verified"

    def is_verified_with(self, version: str) -> bool:
        """Whether the conventions have been verified with a version, or with an older and a newer one."""
        return self.verify(version) == "verified"

    @property
    def verified_versions(self) -> tuple[str, ...]:
        """All versions of the peer that a convention has been verified with, the oldest first."""
        # The editions then hold versions of another package, which are not comparable with the peer's.
        if self.decided_by:
            return self.versions
        return (*(version for edition in self.editions for version in edition.versions), *self.versions)

    def find_conventions(self, version: str) -> tuple[Convention, ...]:
        """Find how a version counts.

        Args:
            version: of the package that decides about the edition. What cannot be read as a version is
                taken for the newest, and anything older than the first edition for that one.
        """
        given = _parse_version(version)
        if given is None or not self.editions or given >= _find_begin(self.since):
            return self.conventions
        before = [edition for edition in self.editions if given >= _find_begin(edition.since)]
        return (before or self.editions)[-1 if before else 0].conventions


def _parse_version(version: str) -> "Version | None":
    from packaging.version import InvalidVersion, Version

    try:
        return Version(version.partition("+")[0])
    except InvalidVersion:
        return None


def _find_begin(version: str) -> "Version":
    """Find the earliest version that counts as this one: 2.15.0a0 counts as 2.15 does."""
    # .dev0 sorts before every other pre-release of the same version (PEP 440).
    from packaging.version import Version

    return Version(f"{version}.dev0")


PEERS: dict[str, Peer] = {}


def register_peer(new: Peer) -> Peer:
    """Register a peer under its name, and its conventions under theirs.

    Returns:
        The peer, with the distribution that describes it as its origin.

    Raises:
        DuplicateError: the name of the peer or of a convention is taken.
    """
    if new.name in PEERS:
        raise DuplicateError(f"a peer named {new.name!r} exists already; choose another name")
    for convention in new.conventions:
        # The caller may have registered this very convention before; another one of that name is an error.
        if CONVENTIONS.get(convention.name) is not convention:
            register_convention(convention)
    for edition in new.editions:
        for convention in edition.conventions:
            register_convention(convention, listed=False)
    PEERS[new.name] = replace(new, origin=find_origin())
    return PEERS[new.name]


def load_more_peers() -> None:
    """Load the peers that other distributions describe."""
    load_extensions("resflops.counters", PEERS, CONVENTIONS)


def find_peer(name: str) -> Peer:
    """Find a peer by its name, in upper or lower case.

    Raises:
        UsageError: there is no peer of that name.
    """
    if not isinstance(name, str):
        raise UsageError(f"the name of a peer must be a text such as 'fvcore', got {name!r:.80}")
    found = _match_peer(name)
    if found is None:
        # Only now: reading the metadata of everything that is installed takes some ten milliseconds.
        load_more_peers()
        found = _match_peer(name)
    if found is not None:
        return found
    raise UsageError(
        f"no peer named {name!r}{suggest(name, PEERS)}; available: {', '.join(PEERS)} "
        "(resflops peers shows which of them are installed)"
    )


def _match_peer(name: str) -> Peer | None:
    return next((peer for peer in PEERS.values() if peer.name.lower() == name.lower()), None)
