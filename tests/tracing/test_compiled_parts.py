"""Compiled functions, methods and modules count as they were written, under the names that they had."""

import threading

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import resflops


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(6, 4)

    def forward(self, x):
        return F.relu(self.layer(x))

    @torch.compile(fullgraph=True)
    def run_compiled(self, x):
        return F.gelu(self.layer(x))


class Using(nn.Module):
    def __init__(self, function, block=None):
        super().__init__()
        self.block = Block() if block is None else block
        self.function = function

    def forward(self, x):
        return self.function(self.block, x)


def compile_in_place(block):
    block.compile(fullgraph=True)
    return block


LAYER = 2 * 6 * 4
OPS = [("linear", "block.layer"), ("relu", "block")]


@pytest.mark.parametrize("real", [False, True], ids=["on shapes", "for real"])
@pytest.mark.parametrize(
    ("model", "ops"),
    [
        pytest.param(
            Using(lambda block, x: torch.compile(lambda y: F.relu(block.layer(y)), fullgraph=True)(x)),
            [("linear", "block.layer"), ("relu", "")],
            id="a function",
        ),
        pytest.param(
            Using(lambda block, x: block.run_compiled(x)),
            [("linear", "block.layer"), ("gelu", "block")],
            id="a method",
        ),
        pytest.param(Using(lambda block, x: torch.compiler.disable(block)(x)), OPS, id="not to be compiled"),
        pytest.param(Using(lambda b, x: b(x), torch.compile(Block(), fullgraph=True)), OPS, id="a module"),
        pytest.param(Using(lambda b, x: b(x), compile_in_place(Block())), OPS, id="a module in place"),
        pytest.param(torch.compile(Using(lambda b, x: b(x)), fullgraph=True), OPS, id="the model"),
        pytest.param(
            torch.compile(Using(lambda b, x: b(x), torch.compile(Block(), dynamic=True)), fullgraph=True),
            OPS,
            id="the model and a module",
        ),
    ],
)
def test_compiled_code_counts_as_it_was_written(model, ops, real):
    trace = resflops.trace(model, torch.ones(2, 6), real=real)
    assert [(op.op, op.layer) for op in trace.ops] == ops
    assert resflops.count(trace).macs == LAYER
    assert (trace.model, [module.path for module in trace.modules]) == ("Using", ["", "block", "block.layer"])


def test_other_threads_compile_meanwhile_and_the_stance_is_as_before():
    compiled, results = [], []
    begin, end = threading.Event(), threading.Event()

    def compile_nothing(graph, inputs):
        compiled.append(len(inputs))
        return graph

    def work():
        begin.wait()
        results.append(torch.compile(lambda x: x * 3, backend=compile_nothing, fullgraph=True)(torch.ones(2)))
        end.set()

    def run(block, x):
        begin.set()
        end.wait()
        return block(x)

    from torch._dynamo import eval_frame

    before = eval_frame._stance
    other = threading.Thread(target=work)
    other.start()
    assert resflops.count(Using(run), (2, 6)).macs == LAYER
    other.join()
    # Torch 2.6 compiles in no thread as long as any has a dispatch mode.
    assert compiled == ([] if torch.__version__.startswith("2.6.") else [1])
    assert torch.equal(results[0], torch.full((2,), 3.0))
    assert eval_frame._stance is before
