"""What an op is declared to save is what autograd keeps of it, as its own hooks see."""

import runpy
from pathlib import Path

import pytest
import torch
from packaging.version import Version
from torch import nn

import resflops
from resflops.ops import OPS

FIRST = {"input", "query"}
NUMBER = "a quotient of a number is a reciprocal times that number"
UNUSED = "nothing is dropped, so that no mask is kept"
COPIED = "operands of unlike batches are copied to one size, and the copies are kept"
PLAIN = "numbers and slices are no tensors, and nothing is kept of them"
BOUND = "a bound that is a tensor is kept, too"
NO_GRADIENT = "no gradient passes it; what torch computes on the way keeps something until then"
PARTS = "torch runs it as several ops here, of which each keeps something"
SAME = "one tensor stands for two operands"
DIFFERENT = {
    **dict.fromkeys(("isfinite", "nextafter of one shape", "nextafter broadcast"), NO_GRADIENT),
    "divide a number": NUMBER,
    **dict.fromkeys(("dropout in eval mode", "dropout at rate zero", "dropout2d in eval mode"), UNUSED),
    **dict.fromkeys(("dropout3d in eval mode", "alpha_dropout in eval mode"), UNUSED),
    "feature_alpha_dropout in eval mode": UNUSED,
    "alpha_dropout as torch has it by default": UNUSED,
    "feature_alpha_dropout as torch has it by default": UNUSED,
    "broadcast batches": COPIED,
    **dict.fromkeys(("a number behind an ellipsis", "a slice behind an ellipsis", "steps"), PLAIN),
    **dict.fromkeys(
        ("an ellipsis that stands for nothing", "an ellipsis at the end", "new dimensions"), PLAIN
    ),
    **dict.fromkeys(("clamp by a tensor of one shape", "clamp by a tensor broadcast"), BOUND),
    **dict.fromkeys(("clamp by a tensor above of one shape", "clamp by a tensor above broadcast"), BOUND),
    "interpolate, area": "by area it is an average pooling, which keeps its input",
    "adaptive_avg_pool2d, global": "a mean of all elements keeps nothing but a shape",
    "logsigmoid": "a buffer, which only the CPU's kernel fills",
    **dict.fromkeys(("local response norm", "nanmean"), PARTS),
    **dict.fromkeys(("addcmul of one shape", "addcmul broadcast", "distance"), SAME),
    **dict.fromkeys(("addcdiv of one shape", "addcdiv broadcast", "cholesky_solve"), SAME),
}
if Version(torch.__version__) < Version("2.15"):
    DIFFERENT |= dict.fromkeys(
        ("bessel_j1", "bessel_y0", "bessel_y1", "modified_bessel_i0", "modified_bessel_i1", "modified_bessel_k0",
         "modified_bessel_k1"),
        "torch has no gradient of it before 2.15",
    )  # fmt: skip
NOT_DIFFERENTIABLE = {"soft_margin_loss, mean", "soft_margin_loss, none"}
"""Torch refuses a target that needs a gradient."""


def make_operands(first, *operands):
    """Tensors that need a gradient where they can have one, copied so that they may be written to."""
    tensors = [
        each if isinstance(each, torch.Tensor) else torch.full(each, 0.5) for each in (first, *operands)
    ]
    return [each.clone().requires_grad_() * 1 if each.is_floating_point() else each for each in tensors]


class Call(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *operands):
        return self.function(*operands)


def look_at_saved(function, operands):
    """Which of the first operand, the outputs and anything more autograd keeps."""
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(lambda each: saved.append(each) or each, lambda each: each):
        output = function(*operands)
    first = operands[0].untyped_storage().data_ptr() if operands[0].is_floating_point() else None
    outputs = output if isinstance(output, tuple | list) else (output,)
    # Outputs that are whole numbers are indices, which ops name so.
    values = [each for each in outputs if each.is_floating_point()]
    kinds = {first: "first", **{each.untyped_storage().data_ptr(): "output" for each in values}}
    return {kinds.get(each.untyped_storage().data_ptr(), "more") for each in saved}


def look_at_declared(record):
    """The same as its op declares it; an operand that is a number is not kept."""
    kinds = {"first" if name in FIRST else "output" if name == "output" else "more"
             for name in OPS[record.op].saves}  # fmt: skip
    only_numbers = OPS[record.op].saves == ("input", "other") and len(record.input_shapes) == 1
    return set() if only_numbers else kinds


def find_cases():
    """Every case of the modules beside this one, by its name."""
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        if path.stem not in {"test_every_op", Path(__file__).stem}:
            yield from runpy.run_path(str(path)).get("CASES", {}).items()


@pytest.mark.skipif(
    Version(torch.__version__) < Version("2.14"), reason="torch keeps other things of some ops"
)
@pytest.mark.filterwarnings("ignore")
def test_every_op_that_says_what_it_saves_saves_that():
    different, tried = set(), set()
    for name, (function, *given) in find_cases():
        model = function.eval() if isinstance(function, nn.Module) else Call(function)
        operands = make_operands(*given)
        ops = resflops.trace(model, *operands).ops
        if len(ops) != 1 or ops[0].op not in OPS or OPS[ops[0].op].saves is None:
            continue
        if name in NOT_DIFFERENTIABLE:
            continue
        saved = look_at_saved(model, operands)
        tried.add(ops[0].op)
        if saved != look_at_declared(ops[0]):
            different.add(name)
    assert different == set(DIFFERENT)
    assert len(tried) > 150
