"""Dropout: its attributes, and one cost however it is called."""

from functools import partial

import pytest
import torch.nn.functional as F

from resflops.errors import MissingAttributeError
from resflops.ops import OPS

SHAPE = (2, 4, 6, 6)
NAMES = ("dropout", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout")
CASES = {
    **{f"{name} in eval mode": (partial(getattr(F, name), p=0.5, training=False), SHAPE) for name in NAMES},
    **{name: (partial(getattr(F, name), p=0.5, training=True), SHAPE) for name in NAMES},
    "dropout1d": (lambda x: F.dropout1d(x.flatten(2), 0.5, training=True), SHAPE),
    "dropout1d in eval mode": (lambda x: F.dropout1d(x.flatten(2), 0.5, training=False), SHAPE),
    **{f"{name} as torch has it by default": (getattr(F, name), SHAPE) for name in NAMES},
    "dropout at rate zero": (lambda x: F.dropout(x, 0.0, training=True), SHAPE),
}
APART = {
    **{name: ["div", "mul"] for name in ("dropout1d", "dropout2d", "dropout3d")},
    **{name: [*["add"] * 3, *["mul"] * 3] for name in ("alpha_dropout", "feature_alpha_dropout")},
}
"""What torch writes as several ops before its dispatcher sees it: a mask that is scaled once a channel, or
scaled and shifted. A script and an exported program have it whole."""


BY_DEFAULT = {f"{name} as torch has it by default": name for name in ("dropout", "dropout2d", "dropout3d")}


@pytest.mark.parametrize("name", CASES)
def test_it_costs_the_same_in_every_style(name, style, compare_style):
    apart = BY_DEFAULT.get(name, name) in APART and style not in ("real", "scripted", "exported")
    assert compare_style(style, *CASES[name]) == ({"flops"} if apart else set())


@pytest.mark.parametrize("name", APART)
def test_what_torch_takes_apart_is_counted_by_its_parts(name, trace_style):
    records = trace_style("make_fx", *CASES[name]).ops
    scale, *ops = [record.op for record in records if not OPS[record.op].free]
    assert scale == "mul"
    assert sorted(ops) == APART[name]


@pytest.mark.parametrize(
    ("op", "attributes"),
    [*[(name, {}) for name in (*NAMES, "dropout1d")], ("dropout", {"p": 0.5})],
)
def test_a_missing_attribute_is_an_error(op, attributes, record):
    given = record(op, [SHAPE], SHAPE, **attributes)
    with pytest.raises(MissingAttributeError, match=f"op '{op}'"):
        OPS[op].work(given)
    with pytest.raises(MissingAttributeError, match=f"op '{op}'"):
        OPS[op].gradient.work(given, (0,))
