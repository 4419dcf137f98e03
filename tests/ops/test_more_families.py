"""Further families of rules against counts derived by hand."""

import pytest

from resflops.ops import OPS
from resflops.records import OpRecord, Work


def work(op, inputs, *outputs, **attributes):
    record = OpRecord(
        op=op, layer="", input_shapes=tuple(inputs), output_shapes=outputs, attributes=attributes
    )
    return OPS[op].work(record)


@pytest.mark.parametrize(
    ("op", "shape", "output", "dims", "arithmetic"),
    [
        pytest.param("fft", (2, 8), (2, 8), (1,), 2 * 5 * 8 * 3, id="complex"),
        pytest.param("fft", (4, 8), (4, 8), (0, 1), 5 * 32 * 5, id="two dimensions"),
        pytest.param("rfft", (3, 16), (3, 9), (1,), 3 * 5 * 16 * 4 // 2, id="real"),
        pytest.param("irfft", (3, 9), (3, 16), (1,), 3 * 5 * 16 * 4 // 2, id="back to real"),
        # 5·6·log₂ 6 = 77.55
        pytest.param("fft", (6,), (6,), (0,), 78, id="no power of two"),
    ],
)
def test_a_fourier_transform_counts_as_fftw_counts_it(op, shape, output, dims, arithmetic):
    assert work(op, [shape], output, dim=dims) == Work(arithmetic=arithmetic)


def test_sorting_counts_the_comparisons_of_a_merge_sort():
    assert work("sort", [(3, 8)], (3, 8), dim=-1) == Work(comparisons=3 * 8 * 3)
    assert work("sort", [(5, 2)], (5, 2), dim=0) == Work(comparisons=2 * 5 * 3)
    assert work("sort", [(4, 1)], (4, 1), dim=-1) == Work()


def test_the_largest_k_go_through_a_heap():
    assert work("topk", [(2, 10)], (2, 3), dim=-1, k=3) == Work(comparisons=2 * 10 * 2)
    assert work("topk", [(2, 10)], (2, 1), dim=-1, k=1) == Work(comparisons=2 * 10)


def test_an_embedding_bag_folds_rows():
    indices, table = (2, 5), (10, 4)
    plain = {"weighted": False}
    assert work("embedding_bag", [indices, table], (2, 4), mode="sum", **plain) == Work(arithmetic=8 * 4)
    assert work("embedding_bag", [indices, table], (2, 4), mode="mean", **plain) == Work(arithmetic=8 * 4 + 8)
    assert work("embedding_bag", [indices, table], (2, 4), mode="max", **plain) == Work(comparisons=8 * 4)
    assert work("embedding_bag", [indices, table], (2, 4), mode="sum", weighted=True) == Work(
        arithmetic=8 * 4 + 10 * 4
    )


def test_reading_between_pixels_takes_every_neighbour():
    image, grid, out = (1, 2, 8, 8), (1, 3, 3, 2), (1, 2, 3, 3)
    assert work("grid_sample", [image, grid], out, mode="bilinear") == Work(arithmetic=18 * 7 + 18 * 3)
    assert work("grid_sample", [image, grid], out, mode="nearest") == Work(arithmetic=18 * 3)
    assert work("grid_sample", [(1, 2, 4, 4, 4), (1, 3, 3, 3, 3)], (1, 2, 3, 3, 3), mode="bilinear") == Work(
        arithmetic=54 * 15 + 81 * 3
    )


def test_an_antialiased_resize_reads_more_where_it_shrinks():
    # 8 -> 4 by bilinear: 4 taps a side. Columns first, over all 8 rows; then rows.
    assert work("interpolate", [(1, 3, 8, 8)], (1, 3, 4, 4), mode="bilinear", antialias=True) == Work(
        arithmetic=3 * 4 * (8 * 7 + 4 * 7)
    )


def test_a_deformable_convolution_reads_each_tap_between_pixels():
    image, weight, offset, out = (1, 4, 8, 8), (6, 4, 3, 3), (1, 18, 6, 6), (1, 6, 6, 6)
    assert work("deform_conv2d", [image, weight, offset], out, bias=True, mask=True) == Work(
        macs=216 * 36, bias_adds=216, arithmetic=36 * 36 * 8
    )


def test_boxes_are_compared_two_by_two():
    assert work("torchvision.nms", [(4, 4), (4,)], (2,)) == Work(arithmetic=6 * 9 + 12, comparisons=6 * 5)
    assert work("torchvision.roi_align", [(1, 3, 8, 8), (5, 5)], (5, 3, 7, 7), sampling_ratio=2) == Work(
        arithmetic=5 * 3 * 49 * (4 * 7 + 3 + 1)
    )


@pytest.mark.parametrize(
    ("most", "pairs"),
    [
        pytest.param(0, 0, id="none"),
        pytest.param(1, 0, id="one"),
        # One is kept, and each of the three others meets it.
        pytest.param(2, 3, id="two"),
        pytest.param(4, 6, id="all, as where there is no limit"),
        pytest.param(9, 6, id="more than there are"),
    ],
)
def test_boxes_of_a_class_meet_those_that_are_kept(most, pairs):
    areas = 12 * bool(most)
    assert work("non_max_suppression", [(1, 4, 4), (1, 2, 4)], (3, 3), most=most) == Work(
        arithmetic=2 * 9 * pairs + areas, comparisons=2 * 5 * pairs
    )


@pytest.mark.parametrize(
    ("op", "inputs", "output", "expected"),
    [
        # LU of 1, 2 and 3 rows, by hand: 3 rows take 3 divisions, 5 products and 5 differences.
        pytest.param("linalg_lu", [(1, 1)], (1, 1), Work(arithmetic=1), id="LU of one"),
        pytest.param("linalg_lu", [(2, 2)], (2, 2), Work(arithmetic=5), id="LU of two"),
        pytest.param("linalg_lu", [(4, 3, 3)], (4, 3, 3), Work(arithmetic=4 * 16), id="LU of three"),
        pytest.param("_linalg_det", [(3, 3)], (), Work(arithmetic=18), id="determinant"),
        pytest.param("_linalg_solve_ex", [(2, 2), (2, 3)], (2, 3), Work(arithmetic=5 + 3 * 6), id="solve"),
        pytest.param(
            "linalg_cholesky_ex", [(2, 2)], (2, 2), Work(arithmetic=3, transcendental=2), id="cholesky"
        ),
        pytest.param(
            "linalg_solve_triangular", [(3, 3), (3, 2)], (3, 2), Work(arithmetic=18), id="triangular"
        ),
        pytest.param("linalg_cross", [(5, 3), (5, 3)], (5, 3), Work(arithmetic=45), id="cross"),
    ],
)
def test_factorisations_count_as_lapack_does(op, inputs, output, expected):
    assert work(op, inputs, output) == expected


def test_a_grouped_product_takes_each_row_through_one_matrix():
    assert work("_grouped_mm", [(10, 4), (3, 4, 6)], (10, 6)) == Work(macs=10 * 4 * 6)
    assert work("_grouped_mm", [(5, 10), (10, 6)], (3, 5, 6)) == Work(macs=5 * 10 * 6)


def test_a_weight_norm_scales_every_weight():
    assert work("_weight_norm_interface", [(6, 4), (6, 1)], (6, 4), (6, 1)) == Work(
        arithmetic=3 * 24 + 6, transcendental=6
    )


def test_what_is_scattered_is_added_once():
    assert work("scatter_add", [(3, 4), (2, 4), (2, 4)], (3, 4)) == Work(arithmetic=8)
    assert work("col2im", [(1, 16, 9)], (1, 4, 6, 6)) == Work(arithmetic=144)


def test_losses_fold_into_one_number():
    assert work("mse_loss", [(4, 5), (4, 5)], ()) == Work(arithmetic=20 * 2 + 19)
    assert work("mse_loss", [(4, 5), (4, 5)], (4, 5)) == Work(arithmetic=20 * 2)
    assert work("nll_loss_forward", [(4, 5), (4,)], ()) == Work(arithmetic=8)


@pytest.mark.parametrize(
    ("op", "gates", "each"),
    [
        ("lstm", 4, Work(arithmetic=17, transcendental=5)),
        ("gru", 3, Work(arithmetic=13, transcendental=3)),
        ("rnn_tanh", 1, Work(arithmetic=1, transcendental=1)),
        ("rnn_relu", 1, Work(arithmetic=1, comparisons=1)),
    ],
)
def test_a_recurrent_step_is_two_products_and_its_gates(op, gates, each):
    rows, wide, hidden = 3 * 2, 5, 4
    one = work(op, [(3, 2, wide), (gates * hidden, wide), (gates * hidden, hidden)], (3, 2, hidden),
               hidden=hidden, layers=1, directions=1, bias=True, dropout=False)  # fmt: skip
    assert one == Work(
        macs=rows * gates * hidden * (wide + hidden),
        bias_adds=rows * hidden * gates * 2,
        arithmetic=rows * hidden * each.arithmetic,
        comparisons=rows * hidden * each.comparisons,
        transcendental=rows * hidden * each.transcendental,
    )


def test_finding_what_is_unique_takes_a_sort_and_of_neighbours_one_pass():
    import torch
    from torch import nn

    import resflops

    class Unique(nn.Module):
        def forward(self, x):
            return torch.unique(x), torch.unique_consecutive(x)

    cost = resflops.count(Unique(), torch.tensor([3, 1, 1, 2, 2, 2, 5, 4, 4]), convention="flops")
    assert cost.uncounted == ()
    assert cost.trace.execution == "real"
    assert cost.by_op == {"unique": 9 * 4, "unique_consecutive": 8}
