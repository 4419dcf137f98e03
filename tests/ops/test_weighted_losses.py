"""Losses and norms that are seen whole where nothing needs a gradient, against counts by hand."""

import pytest
import torch
import torch.nn.functional as F

from resflops.ops import OPS

TARGET = torch.full((2, 4), 0.5)
CLASSES = torch.tensor([1, 2])
FIGURES = {
    # Eight elements: 6 arithmetic and 2 transcendental each, 7 additions to fold.
    "logits": (lambda x: F.binary_cross_entropy_with_logits(x, TARGET), 8 * 8 + 7, (2, 4)),
    "logits, each by itself": (
        lambda x: F.binary_cross_entropy_with_logits(x, TARGET, reduction="none"), 8 * 8, (2, 4),
    ),
    "weighted logits": (
        lambda x: F.binary_cross_entropy_with_logits(x, TARGET, weight=TARGET), 9 * 8 + 7, (2, 4),
    ),
    "logits with weights of positives": (
        lambda x: F.binary_cross_entropy_with_logits(x, TARGET, pos_weight=TARGET), 12 * 8 + 7, (2, 4),
    ),
    # Eight margins: 2 arithmetic and a comparison each, 7 additions, a division for either sample.
    "margin": (lambda x: F.multi_margin_loss(x, CLASSES), 3 * 8 + 7 + 2, (2, 4)),
    "squared margin": (lambda x: F.multi_margin_loss(x, CLASSES, p=2), 4 * 8 + 7 + 2, (2, 4)),
    # Six differences, their squares, five additions, a root.
    "distance": (lambda x: torch.dist(x, x), 6 + 6 + 5 + 1, (2, 3)),
    # Two vectors of 3: 3 products, 2 sums and a root; a comparison, a sum, a division; 3 products.
    "limited norms": (lambda x: torch.renorm(x, 2, 0, 1.0), 2 * (3 + 2 + 1 + 3 + 3), (2, 3)),
    "limited rows": (
        lambda w: F.embedding(torch.tensor([1, 0, 1]), w.detach().clone(), max_norm=1.0), 3 * 12, (2, 3),
    ),
}  # fmt: skip
CASES = {name: (function, *operands) for name, (function, _, *operands) in FIGURES.items()}


@pytest.mark.parametrize("name", CASES)
def test_it_is_counted_whole(name, price_style):
    # The case's own product of its input and a parameter takes one operation an element.
    function, figure, shape = FIGURES[name]
    own = torch.Size(shape).numel()
    assert price_style("fallback", function, shape)["flops"] - own == figure


def test_a_connectionist_loss_counts_every_state_of_every_step(trace_style):
    def loss(x):
        lengths, targets = torch.tensor([5, 5]), torch.ones(2, 3, dtype=torch.long)
        return torch._ctc_loss(x.log_softmax(-1), targets, [5, 5], [3, 3])[0] + 0 * lengths

    (record,) = (op for op in trace_style("real", loss, (5, 2, 4)).ops if op.op == "_ctc_loss")
    # Two samples of 5 steps, and 2·3 + 1 states: a blank before, between and after the labels.
    assert dict(OPS["_ctc_loss"].work(record).kinds()) == {
        "arithmetic": 7 * 70,
        "comparisons": 2 * 70,
        "transcendental": 4 * 70,
    }
