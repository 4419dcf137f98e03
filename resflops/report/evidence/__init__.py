"""The tables of the reproduction: printed figures beside exact ones, and what explains them."""

from resflops.report.evidence.figures import figure_tables, tally
from resflops.report.evidence.sentence import LargeMaps, large_maps, sentence_table, stage_table
from resflops.report.evidence.story import (
    Fits,
    fits,
    fully_connected_table,
    keras_table,
    places_table,
    shortcut_table,
    stride_table,
    strided_layers_table,
)
from resflops.report.evidence.words import AGREES, PAPER, printed_verdict

__all__ = [
    "AGREES",
    "PAPER",
    "Fits",
    "LargeMaps",
    "figure_tables",
    "fits",
    "fully_connected_table",
    "keras_table",
    "large_maps",
    "places_table",
    "printed_verdict",
    "sentence_table",
    "shortcut_table",
    "stage_table",
    "stride_table",
    "strided_layers_table",
    "tally",
]
