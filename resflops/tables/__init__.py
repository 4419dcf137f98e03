"""Values laid out as tables: what is shown, in what order, with which notes. How it looks is ``render``'s."""

from resflops.tables.breakdown import breakdown
from resflops.tables.comparison import Entry, Failed, Verdict, comparison, entry, left_note, verdicts
from resflops.tables.cost_and_latency import cost_and_latency
from resflops.tables.crosscheck import crosscheck_table
from resflops.tables.latency import latency_table
from resflops.tables.listings import convention_table, conventions_table, networks_table, ops_table
from resflops.tables.peers import peers_table
from resflops.tables.table import Column, Figure, Kind, Note, Table

__all__ = [
    "Column",
    "Entry",
    "Failed",
    "Figure",
    "Kind",
    "Note",
    "Table",
    "Verdict",
    "breakdown",
    "comparison",
    "convention_table",
    "conventions_table",
    "cost_and_latency",
    "crosscheck_table",
    "entry",
    "latency_table",
    "left_note",
    "networks_table",
    "ops_table",
    "peers_table",
    "verdicts",
]
