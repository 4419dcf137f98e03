"""The table of peers: what is installed, how each counts, and its known defects."""

from resflops.counters import PEERS, Peer, load_more_peers
from resflops.counters.installed import find_installed_version
from resflops.extensions import OWN
from resflops.tables.table import Column, Note, Row, Table, note_broken_extensions, show_people_if

__all__ = ["build_peer_table"]


def build_peer_table() -> Table:
    """Build the table of ``resflops peers``, with the known defects below."""
    load_more_peers()
    return Table(
        title="Peers",
        columns=(
            Column(key="peer", heading="peer"),
            Column(key="distribution", heading="package", audience="programs"),
            Column(key="takes", heading="takes", detail=1, folds=False),
            Column(key="installed", heading="installed", empty="not installed"),
            Column(key="verification", heading="which is", empty="–"),
            Column(key="verified_versions", heading="verified with", kind="names", wraps=True),
            Column(key="verified", audience="programs"),
            Column(key="conventions", heading="conventions", kind="names", wraps=True, detail=2, folds=False),
            Column(key="counts", heading="counts", wraps=True, detail=3, folds=False),
            Column(key="repository", heading="repository", audience="programs"),
            Column(key="origin", heading="from", audience=show_people_if(_has_other_origins()), detail=2),
        ),
        rows=tuple(_build_row(peer) for peer in PEERS.values()),
        notes=(
            Note(text="pip install 'resflops[peers]' installs all but ultralytics-thop.", audience="people"),
            Note(
                text="thop and ultralytics-thop share the import name thop: the one installed last hides "
                "the other."
            ),
            *note_broken_extensions("resflops.counters"),
        ),
        below=(
            Table(
                name="editions",
                title="Versions that count in another way",
                columns=(
                    Column(key="peer", heading="peer", repeats=False),
                    Column(key="since", heading="from"),
                    Column(key="decided_by", heading="of", detail=2),
                    Column(key="verified_versions", heading="verified with", kind="names"),
                    Column(key="conventions", heading="conventions", kind="names", wraps=True, detail=1),
                ),
                rows=tuple(
                    {
                        "peer": peer.name,
                        "since": edition.since,
                        "decided_by": peer.decided_by or peer.distribution,
                        "verified_versions": edition.versions,
                        "conventions": tuple(convention.name for convention in edition.conventions),
                    }
                    for peer in PEERS.values()
                    for edition in peer.editions
                ),
                notes=(
                    Note(
                        text="crosscheck uses the convention of the installed version; --convention accepts "
                        "any of them by its name."
                    ),
                ),
            ),
            Table(
                name="defects",
                title="Known defects",
                columns=(
                    Column(key="peer", heading="peer", repeats=False),
                    Column(key="defect", heading="what", wraps=True),
                    Column(key="issue", heading="reported in", empty="–", detail=1),
                ),
                rows=tuple(
                    {"peer": peer.name, "defect": defect.what, "issue": defect.issue}
                    for peer in PEERS.values()
                    for defect in peer.defects
                ),
            ),
        ),
    )


def _has_other_origins() -> bool:
    return any(peer.origin != OWN for peer in PEERS.values())


def _build_row(peer: Peer) -> Row:
    version = find_installed_version(peer)
    return {
        "peer": peer.name,
        "distribution": peer.distribution,
        "takes": peer.takes,
        "installed": version or "",
        "verified_versions": peer.verified_versions,
        "verification": "" if version is None else peer.verify(version),
        "verified": version is not None and peer.is_verified_with(version),
        "conventions": tuple(convention.name for convention in peer.conventions),
        "counts": peer.convention.counts,
        "repository": peer.repository,
        "origin": peer.origin,
    }
