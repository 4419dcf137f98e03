"""What a peer is, and where peers are registered."""

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
"""Seconds that a peer may take for one model, if nothing else is said."""


class Defect(Struct, frozen=True, kw_only=True):
    """Something that a peer gets wrong, by what it says of itself."""

    what: str
    issue: str = ""
    """Where it is known: ``owner/repository#number``; ``""`` where no report is known here."""


class CountsParameters(Struct, frozen=True, kw_only=True):
    """Which parameters a peer counts."""

    which: Literal["all", "trainable", "modules"]
    """All, those that require a gradient, or those of the modules that it has a rule for."""
    modules: tuple[str, ...] = ()
    """The classes of ``torch.nn`` whose parameters it counts, where it goes by modules."""
    tied_each_time: bool = False
    """Whether a tied parameter counts in every module that holds it."""


Verification = Literal["verified", "newer", "older", "unknown"]
"""How a version stands to those that a peer's conventions were verified with: one of them or between
two of them, after the last, before the first, or no version at all."""


class Edition(Struct, frozen=True, kw_only=True):
    """How a peer counted from one version to the next that counts differently."""

    since: str
    """The first version that counts so."""
    versions: tuple[str, ...]
    """Those of the edition that its conventions have been verified with, the oldest first."""
    conventions: tuple[Convention, ...]
    """One for each figure of the peer, in the order of the peer's own ``conventions``."""


class Peer(Struct, frozen=True, kw_only=True):
    """Another counter: how it is installed, and how it counts."""

    name: str
    distribution: str
    """The package that it is installed with."""
    versions: tuple[str, ...]
    """Those that the conventions have been verified with, the oldest first."""
    conventions: tuple[Convention, ...]
    """How it counts today: one for each figure that it gives, its main one first."""
    since: str = ""
    """The first version that counts so; ``""`` where no other way is known."""
    editions: tuple[Edition, ...] = ()
    """How it counted before that, the oldest first."""
    ask: str = ""
    """The function that asks it, as ``package.module:function``; ``""`` where its name is registered with
    ``resflops.crosschecking.adapters``. It is imported only to run the peer."""
    decided_by: str = ""
    """The package whose versions the editions go by, where that is not its own: how torch splits
    an op is torch's doing, also where another counter looks on."""
    counts_parameters: CountsParameters | None = None
    """None where it says nothing of parameters."""
    repository: str
    origin: str = ""
    """The distribution that describes it, filled in where it is registered."""
    limits: tuple[str, ...] = ()
    """What its conventions cannot know of a trace, so that a remainder is left."""
    defects: tuple[Defect, ...] = ()

    @property
    def convention(self) -> Convention:
        """The convention of its main figure."""
        return self.conventions[0]

    def verification(self, version: str) -> Verification:
        """How a version stands to the verified ones; what it was built for makes no difference."""
        given = _parse_version(version)
        if given is None:
            return "unknown"
        verified = [each for each in map(_parse_version, self.verified_versions) if each is not None]
        if given > max(verified):
            return "newer"
        return "older" if given < min(verified) else "verified"

    def is_verified_with(self, version: str) -> bool:
        """Whether the conventions have been verified with a version, or with one before and one after."""
        return self.verification(version) == "verified"

    @property
    def verified_versions(self) -> tuple[str, ...]:
        """All of its versions that a convention has been verified with, the oldest first."""
        if self.decided_by:
            return self.versions
        return (*(version for edition in self.editions for version in edition.versions), *self.versions)

    def find_conventions(self, version: str) -> tuple[Convention, ...]:
        """How a version counts, of the package that decides it; what is no version is taken as the newest."""
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
    """Where a version begins, its own pre-releases with it: 2.15.0a0 counts as 2.15 does."""
    from packaging.version import Version

    return Version(f"{version}.dev0")


PEERS: dict[str, Peer] = {}


def register_peer(new: Peer) -> Peer:
    """Make a peer known by its name, and its conventions by theirs.

    Raises:
        DuplicateError: the name, or the name of a convention, is taken.
    """
    if new.name in PEERS:
        raise DuplicateError(f"a peer named {new.name!r} exists already; choose another name")
    for each in new.conventions:
        if CONVENTIONS.get(each.name) is not each:
            register_convention(each)
    for edition in new.editions:
        for each in edition.conventions:
            register_convention(each, listed=False)
    PEERS[new.name] = replace(new, origin=find_origin())
    return PEERS[new.name]


def load_more_peers() -> None:
    """Have the peers that other distributions describe: for a name that is not found, or a list."""
    load_extensions("resflops.counters", PEERS, CONVENTIONS)


def find_peer(name: str) -> Peer:
    """The peer of that name, in whatever case it is written.

    Raises:
        UsageError: there is none.
    """
    if not isinstance(name, str):
        raise UsageError(f"a peer is named by a text, such as 'fvcore', and {name!r:.80} is none")
    found = _match_peer(name)
    if found is None:
        load_more_peers()
        found = _match_peer(name)
    if found is not None:
        return found
    raise UsageError(
        f"no peer named {name!r}{suggest(name, PEERS)}; there are: {', '.join(PEERS)} "
        "(resflops peers tells which are installed)"
    )


def _match_peer(name: str) -> Peer | None:
    return next((each for each in PEERS.values() if each.name.lower() == name.lower()), None)
