# mypy: disable-error-code="import-untyped,import-not-found"
"""Every figure that torchvision publishes of its models, beside ours.

    python tests/benchmarks/torchvision_figures.py [PATTERN ...] [--all]

The metadata of torchvision's weights hold ``_ops``, multiply-adds in units of 10⁹ with three
decimals, and ``num_params``. Each model is built as those weights need it, with the
classifiers they bring or leave out, counted on the input they were made for, and compared
within the rounding of what is printed. Differences are listed, with the reason where one
is known.
"""

import argparse
import collections
import logging
import time
import warnings
from fnmatch import fnmatchcase

import torchvision
from torch import nn

import resflops
from resflops.cost import Cost
from resflops.errors import TraceError
from resflops.sources import names, open_model

WITH_WEIGHTS = {
    "deeplabv3_*": "aux_loss=true",
    "fcn_*": "aux_loss=true",
    "*googlenet": "aux_logits=false",
    "fasterrcnn_mobilenet_*": "rpn_post_nms_top_n_test=0",
    "keypointrcnn_*": "box_detections_per_img=1",
    "maskrcnn_resnet50_fpn": "box_detections_per_img=0",
}
"""What torchvision's builders set by themselves when they are given weights, and how many boxes of a detector
went through its heads as torchvision counted it, where these are not as many as it keeps."""

FROZEN = "with weights its backbone's BatchNorm is frozen and has no parameters; without them it has these"


def spec_of(name: str) -> str:
    """The spec of a model as its weights need it."""
    options = [option for pattern, option in WITH_WEIGHTS.items() if fnmatchcase(name, pattern)]
    return ",".join([f"torchvision/{name}", *options])


def published(name: str) -> tuple[float, int]:
    """Multiply-adds in 10⁹ and parameters, of the default weights."""
    meta = torchvision.models.get_model_weights(name).DEFAULT.meta
    return meta["_ops"], meta["num_params"]


def counted(spec: str) -> tuple[Cost, nn.Module]:
    """A model's cost on its usual input; for real where shapes do not tell it."""
    opened = open_model(spec)
    try:
        return resflops.count(opened.module, *opened.args, **opened.kwargs), opened.module
    except TraceError:
        opened = open_model(spec, device="cpu")
        trace = resflops.trace(opened.module, *opened.args, real=True, **opened.kwargs)
        return resflops.count(trace), opened.module


def _of_backbone_norms(module: nn.Module) -> int:
    """Parameters of the BatchNorms in the body of a detector's backbone."""
    return sum(
        parameter.numel()
        for path, each in module.named_modules()
        if path.startswith("backbone.body") and isinstance(each, nn.BatchNorm2d)
        for parameter in each.parameters()
    )


def compared(name: str) -> tuple[str, str]:
    """Whether both figures agree, and the model's line."""
    ops, params = published(name)
    start = time.perf_counter()
    try:
        cost, module = counted(spec_of(name))
    except Exception as error:
        return "failed", f"{name:<40} failed: {type(error).__name__}: {str(error).splitlines()[0][:200]}"
    seconds = time.perf_counter() - start
    # Three decimals of 10⁹: half a million either way.
    same = abs(cost.macs - round(ops * 1000) * 10**6) <= 500_000, cost.params == params
    shapes = " ".join("x".join(map(str, given.shape)) for given in cost.trace.inputs)
    line = (
        f"{name:<40} {shapes:<26} {ops:>9.3f} {cost.macs / 1e9:>12.6f} {'=' if same[0] else '≠'}  "
        f"{params:>11,} {cost.params:>11,} {'=' if same[1] else '≠'} {seconds:6.2f} s"
    )
    if not cost.complete:
        line += f"  ≥ lacks {', '.join(each.op for each in cost.uncounted)}"
    if not same[0]:
        line += "  MACs: unexplained"
    if not same[1]:
        line += (
            f"  parameters: {FROZEN if cost.params - params == _of_backbone_norms(module) else 'unexplained'}"
        )
    if cost.trace.execution == "real":
        line += "  (run for real)"
    verdict = (
        "both agree" if all(same) else "only MACs" if same[0] else "only parameters" if same[1] else "neither"
    )
    return verdict, line


def main() -> None:
    """Compare model by model and sum up."""
    parser = argparse.ArgumentParser(description="torchvision's published figures, beside ours.")
    parser.add_argument("patterns", nargs="*", default=["*"], metavar="PATTERN")
    parser.add_argument("--all", action="store_true", help="list agreements too")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    verdicts: collections.Counter[str] = collections.Counter()
    for spec in names("torchvision"):
        name = spec.partition("/")[2]
        if not any(fnmatchcase(name, pattern) for pattern in options.patterns):
            continue
        verdict, line = compared(name)
        verdicts[verdict] += 1
        if options.all or verdict != "both agree":
            print(line, flush=True)
    print(f"\n{sum(verdicts.values())} models: {dict(verdicts.most_common())}")


if __name__ == "__main__":
    main()
