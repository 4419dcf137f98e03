"""The tables of the reproduction: printed figures beside exact ones, and what explains them."""

from resflops.report.reproduction.figures import build_agreement_table, build_figure_tables
from resflops.report.reproduction.headline import (
    LargeMaps,
    build_headline_table,
    build_stage_table,
    find_large_maps,
)
from resflops.report.reproduction.paper_table import (
    RoundingFits,
    build_fully_connected_table,
    build_keras_table,
    build_rounding_table,
    build_shortcut_table,
    build_stride_placement_table,
    build_strided_layers_table,
    count_rounding_fits,
)
from resflops.report.reproduction.wording import AGREES, PAPER, find_printed_figure, find_printed_verdict

__all__ = [
    "AGREES",
    "PAPER",
    "LargeMaps",
    "RoundingFits",
    "build_agreement_table",
    "build_figure_tables",
    "build_fully_connected_table",
    "build_headline_table",
    "build_keras_table",
    "build_rounding_table",
    "build_shortcut_table",
    "build_stage_table",
    "build_stride_placement_table",
    "build_strided_layers_table",
    "count_rounding_fits",
    "find_large_maps",
    "find_printed_figure",
    "find_printed_verdict",
]
