"""What a peer is, and where peers are registered."""

from typing import Literal

from msgspec import Struct

from resflops.conventions import CONVENTIONS, Convention, register_convention
from resflops.errors import DuplicateError, UsageError, near

__all__ = ["PEERS", "TIME_LIMIT", "CountsParameters", "Defect", "Peer", "peer", "register_peer"]


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


class Peer(Struct, frozen=True, kw_only=True):
    """Another counter: how it is installed, and how it counts."""

    name: str
    distribution: str
    """The package that it is installed with."""
    versions: tuple[str, ...]
    """Those that the conventions have been verified with; for torch's own counter, torch's."""
    conventions: tuple[Convention, ...]
    """How it counts: one for each figure that it gives, its main one first."""
    counts_parameters: CountsParameters | None = None
    """None where it says nothing of parameters."""
    repository: str
    limits: tuple[str, ...] = ()
    """What its conventions cannot know of a trace, so that a remainder is left."""
    defects: tuple[Defect, ...] = ()

    @property
    def convention(self) -> Convention:
        """The convention of its main figure."""
        return self.conventions[0]

    def verified_with(self, version: str) -> bool:
        """Whether the conventions have been verified with a version; what it was built for is no matter."""
        from packaging.version import InvalidVersion, Version

        try:
            return Version(version.partition("+")[0]) in map(Version, self.versions)
        except InvalidVersion:
            return False


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
    PEERS[new.name] = new
    return new


def peer(name: str) -> Peer:
    """The peer of that name, in whatever case it is written.

    Raises:
        UsageError: there is none.
    """
    if not isinstance(name, str):
        raise UsageError(f"a peer is named by a text, such as 'fvcore', and {name!r:.80} is none")
    for each in PEERS.values():
        if each.name.lower() == name.lower():
            return each
    raise UsageError(
        f"no peer named {name!r}{near(name, PEERS)}; there are: {', '.join(PEERS)} "
        "(resflops peers tells which are installed)"
    )
