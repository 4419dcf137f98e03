"""Functions of several ops: a call that looks like an earlier one has the same ops, on its own tensors."""

import pytest
import torch
from torch import nn

import resflops
from resflops.tracing import known_steps

SHAPE = (3, 5, 16)


class Attending(nn.Module):
    def __init__(self, pick, **options):
        super().__init__()
        self.pick, self.attention = pick, nn.MultiheadAttention(16, 4, **options)

    def forward(self, x):
        first, second = x + 1, x * 2
        out, weights = self.attention(*self.pick(first, second))
        return out * 2, weights


CASES = {
    "to itself": (lambda a, b: (a, a, a), {}),
    "to another": (lambda a, b: (a, b, b), {}),
    "with other values": (lambda a, b: (a, b, a), {}),
    "from two": (lambda a, b: (a, a, b), {}),
    "without biases": (lambda a, b: (a, a, a), {"bias": False}),
    "with a learned key": (lambda a, b: (a, b, b), {"add_bias_kv": True}),
    "with a key of zeros": (lambda a, b: (a, b, b), {"add_zero_attn": True}),
    "with dropout": (lambda a, b: (a, a, a), {"dropout": 0.5}),
    "of other widths": (lambda a, b: (a, b[..., :8], b[..., :8]), {"kdim": 8, "vdim": 8}),
    "without a batch": (lambda a, b: (a[:, 0], b[:, 0], b[:, 0]), {}),
    "without weights": (lambda a, b: (a, a, a, None, False), {}),
    "with a mask": (lambda a, b: (a, a, a, None, True, torch.zeros(3, 3, device=a.device)), {}),
}


def list_ops(name, **how):
    pick, options = CASES[name]
    return resflops.trace(Attending(pick, **options), SHAPE, **how).ops


@pytest.mark.parametrize("name", CASES)
def test_later_calls_have_the_ops_of_the_first(name):
    known_steps._STEPS.clear()
    first = list_ops(name)
    assert known_steps._STEPS
    assert [list_ops(name) for _ in range(3)] == [first] * 3


def test_calls_of_one_look_on_other_tensors_keep_apart():
    known_steps._STEPS.clear()
    alone = {name: list_ops(name) for name in CASES if known_steps._STEPS.clear() is None}
    for _ in range(2):
        assert {name: list_ops(name) for name in CASES} == alone


@pytest.mark.parametrize("name", CASES)
def test_what_is_known_is_what_a_real_run_records(name):
    for _ in range(2):
        known = [(op.op, op.input_shapes, op.output_shapes) for op in list_ops(name)]
    assert known == [(op.op, op.input_shapes, op.output_shapes) for op in list_ops(name, real=True)]


JOINED = {
    "cat": lambda a, b: torch.cat([a, b], 1),
    "cat of a tuple": lambda a, b: torch.cat((a, b), dim=-1),
    "cat of one twice": lambda a, b: torch.cat([a, a, b]),
    "cat of three": lambda a, b: torch.cat([b, a, b + 1]),
    "cat by keyword": lambda a, b: torch.cat(tensors=[a, b], dim=1),
    "stack": lambda a, b: torch.stack([a, b], 1),
    "stack the other way": lambda a, b: torch.stack([b, a], 1),
    "cat of views": lambda a, b: torch.cat([a.transpose(0, 2), b.transpose(0, 2)]),
}


@pytest.mark.parametrize("name", JOINED)
def test_joined_tensors_are_those_that_were_given(name):
    class Joining(nn.Module):
        def forward(self, x):
            return JOINED[name](x + 1, x * 2)

    def list_ops(**how):
        ops = resflops.trace(Joining(), SHAPE, **how).ops
        return [(op.op, op.input_shapes, op.output_shapes, op.producers, op.attributes) for op in ops]

    real = list_ops(real=True)
    assert [list_ops() for _ in range(3)] == [real] * 3


WRITTEN = {
    "a number": lambda a, b: a.__setitem__(0, 1.0),
    "a whole number": lambda a, b: a.__setitem__(0, 1),
    "another tensor": lambda a, b: a.__setitem__((slice(None), 0), b[:, 1]),
    "itself": lambda a, b: a.__setitem__(..., a),
    "a slice": lambda a, b: a.__setitem__((0, slice(1, 3)), b[0, :2]),
    "by a mask": lambda a, b: a.__setitem__(b > 0, 0.0),
    "by indices": lambda a, b: a.__setitem__(torch.arange(2, device=a.device), 0.0),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_what_is_written_is_counted_each_time(name):
    class Writing(nn.Module):
        def forward(self, x):
            a, b = x + 1, x * 2
            WRITTEN[name](a, b)
            return a * 3

    first = resflops.trace(Writing(), SHAPE)
    assert sum(op.op in {"setitem", "index_put"} for op in first.ops) == 1
    assert [resflops.trace(Writing(), SHAPE) for _ in range(3)] == [first] * 3
