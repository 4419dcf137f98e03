"""The tables of the reproduction: printed figures beside exact ones, and what explains them."""

from resflops.report.reproduction.figures import agreement_table, figure_tables
from resflops.report.reproduction.headline import LargeMaps, find_large_maps, headline_table, stage_table
from resflops.report.reproduction.paper_table import (
    RoundingFits,
    count_rounding_fits,
    fully_connected_table,
    keras_table,
    rounding_table,
    shortcut_table,
    stride_placement_table,
    strided_layers_table,
)
from resflops.report.reproduction.wording import AGREES, PAPER, find_printed_figure, find_printed_verdict

__all__ = [
    "AGREES",
    "PAPER",
    "LargeMaps",
    "RoundingFits",
    "agreement_table",
    "count_rounding_fits",
    "figure_tables",
    "find_large_maps",
    "find_printed_figure",
    "find_printed_verdict",
    "fully_connected_table",
    "headline_table",
    "keras_table",
    "rounding_table",
    "shortcut_table",
    "stage_table",
    "stride_placement_table",
    "strided_layers_table",
]
