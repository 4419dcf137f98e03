"""How a cost is written in one line, and what it answers to the names that other counters use."""

from typing import TYPE_CHECKING

from resflops.records import describe_inputs

if TYPE_CHECKING:
    from resflops.cost.cost import Cost

__all__ = ["ANSWERS", "represent_cost"]

_FLOPS = (
    "what is called FLOPs differs from paper to paper: cost.macs counts a multiply-accumulate as one, as the "
    "ResNet paper does, and cost.under('flops').total counts it as two, as well as all other arithmetic"
)
_SUMMARY = "print(cost.summary()) shows the model layer by layer"

ANSWERS = {
    **dict.fromkeys(("flops", "gflops", "total_flops", "get_flops", "flop_counts"), _FLOPS),
    **dict.fromkeys(("mac", "gmacs", "mult_adds", "total_mult_adds", "total_macs"), "use cost.macs"),
    **dict.fromkeys(
        ("parameters", "total_params", "num_params", "n_params", "parameter_count"),
        "use cost.params",
    ),
    "trainable_params": "use cost.trainable",
    "by_operator": "use cost.by_op",
    "by_module_and_operator": "cost.layers has a row for each layer and op",
    "by_layer": "cost.layers has a row for each layer and op",
    **dict.fromkeys(
        ("unsupported_ops", "uncalled_modules"), "cost.uncounted lists the ops that have no rule"
    ),
    **dict.fromkeys(("input_size", "inputs"), "cost.trace.inputs has them"),
    **dict.fromkeys(("print", "show", "display", "table", "to_string", "summary_list"), _SUMMARY),
    "to_csv": "cost.to_frame() is a pandas data frame, and cost.summary().to_csv() a text",
    "to_json": "cost.save(path) writes it as JSON",
}
"""What the names of other counters are called here."""


def represent_cost(cost: "Cost") -> str:
    """Write a cost in one line, with the figures that people look for.

    >>> from resflops.api import count
    >>> count("resnet34")
    Cost(resnet34 on 1×3×224×224: 3,663,761,408 MACs, 21,797,672 parameters)
    >>> count("resnet34", convention="formula")
    Cost(resnet34 on 1×3×224×224: 3,667,500,520 under formula, 3,663,761,408 MACs, 21,797,672 parameters)
    """
    least = "" if cost.complete else "≥ "
    figures = [f"{least}{cost.macs:,} MACs", f"{cost.params:,} parameters"]
    if cost.convention != "macs":
        figures.insert(0, f"{least}{cost.total:,} under {cost.convention}")
    if cost.backward is not None:
        figures.append(f"{'' if cost.backward.complete else '≥ '}{cost.backward.macs:,} MACs backward")
    if cost.nonzero_macs is not None:
        figures.append(f"{cost.nonzero_macs:,} nonzero MACs")
    if not cost.complete:
        figures.append(f"not counted: {', '.join(dict.fromkeys(op.op for op in cost.uncounted))}")
    return f"Cost({describe_inputs(cost.trace)}: {', '.join(figures)})"
