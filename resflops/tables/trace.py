"""The ops of a trace, in the order in which the model called them."""

from resflops.records import Trace
from resflops.tables.table import Column, Figure, Note, Table

__all__ = ["build_trace_table"]

MOST_OPS = 60
"""The most ops that people are shown; a transformer calls thousands."""


def build_trace_table(trace: Trace) -> Table:
    """Build the table of a trace: each op with its layer and its shapes, the first ones for people."""
    rows = tuple(
        {
            "place": place,
            "layer": record.layer,
            "op": record.op,
            "inputs": record.input_shapes,
            "output": record.output_shape,
            "dtype": record.dtype,
        }
        for place, record in enumerate(trace.ops)
    )
    shapes = Figure("shapes", tuple(given.shape for given in trace.inputs))
    left = len(rows) - MOST_OPS
    more = Note(
        text="The first {shown} of {all} ops; trace.ops has all of them.",
        figures={"shown": Figure("count", MOST_OPS), "all": Figure("count", len(rows))},
        audience="people",
    )
    return Table(
        name="ops",
        title=f"{trace.model}, op by op",
        intro=(Note(text="input {input}", figures={"input": shapes}),),
        columns=(
            Column(key="place", heading="", kind="count"),
            Column(key="layer", heading="layer", empty="(the model itself)"),
            Column(key="op", heading="op"),
            Column(key="inputs", heading="inputs", kind="shapes", detail=1),
            Column(key="output", heading="output", kind="shape"),
            Column(key="dtype", heading="type", detail=2),
        ),
        rows=rows,
        hidden=frozenset(range(MOST_OPS, len(rows))),
        notes=(
            *([more] if left > 0 else []),
            Note(
                text="{parameters} parameters and {buffers} buffer elements in {modules} modules; "
                "resflops.count(trace) gives its cost.",
                figures={
                    "parameters": Figure("count", trace.params),
                    "buffers": Figure("count", trace.buffers),
                    "modules": Figure("count", len(trace.modules)),
                },
            ),
            *(Note(text="{note}.", figures={"note": Figure("text", note)}) for note in trace.notes),
        ),
    )
