"""Lays values out as tables: what is shown, in what order, with which notes; ``render`` says how it looks."""

from resflops.tables.breakdown import build_breakdown
from resflops.tables.comparison import (
    Entry,
    Failed,
    FigureVerdict,
    build_comparison,
    build_entry,
    judge_figures,
    note_interrupt,
)
from resflops.tables.cost_and_latency import build_cost_and_latency
from resflops.tables.crosscheck import build_crosscheck_table
from resflops.tables.difference import build_diff_table
from resflops.tables.gate import build_check_table, note_locked, note_verdict
from resflops.tables.latency import build_latency_table
from resflops.tables.layer_changes import note_snapshot
from resflops.tables.listings import (
    build_convention_list,
    build_convention_table,
    build_network_table,
    build_op_table,
)
from resflops.tables.peers import build_peer_table
from resflops.tables.table import Check, Column, Figure, Kind, Note, Table

__all__ = [
    "Check",
    "Column",
    "Entry",
    "Failed",
    "Figure",
    "FigureVerdict",
    "Kind",
    "Note",
    "Table",
    "build_breakdown",
    "build_check_table",
    "build_comparison",
    "build_convention_list",
    "build_convention_table",
    "build_cost_and_latency",
    "build_crosscheck_table",
    "build_diff_table",
    "build_entry",
    "build_latency_table",
    "build_network_table",
    "build_op_table",
    "build_peer_table",
    "judge_figures",
    "note_interrupt",
    "note_locked",
    "note_snapshot",
    "note_verdict",
]
