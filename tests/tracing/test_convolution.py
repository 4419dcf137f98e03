"""Convolutions of random shapes against a count of the products that are really formed."""

import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import resflops

few = st.integers(1, 3)


@settings(max_examples=40)
@given(st.data(), few, few, few, few, few, st.booleans())
def test_a_convolution_equals_a_brute_force_count(data, spatial, kernel, stride, dilation, groups, batched):
    padding = data.draw(st.integers(0, 2))
    model = getattr(nn, f"Conv{spatial}d")(
        2 * groups,
        data.draw(few) * groups,
        kernel,
        stride,
        padding,
        dilation,
        groups,
        data.draw(st.booleans()),
    )
    shape = ((2,) if batched else ()) + (2 * groups, *data.draw(st.tuples(*[st.integers(7, 9)] * spatial)))
    # With ones for every input, those of the padding too, and for every weight, the sum of the
    # output is the number of products.
    image = F.pad(torch.ones(shape), (padding,) * (2 * spatial), value=1)
    call = getattr(F, f"conv{spatial}d")
    products = call(image, torch.ones_like(model.weight), None, stride, 0, dilation, groups).sum()
    cost = resflops.count(model, shape)
    assert cost.macs == int(products)
    assert cost.work.bias_adds == (model(torch.zeros(shape)).numel() if model.bias is not None else 0)
    assert resflops.trace(model, shape).ops == resflops.trace(model, shape, real=True).ops


@settings(max_examples=40)
@given(st.data(), few, few, few, few, st.booleans())
def test_a_transposed_convolution_equals_a_brute_force_count(data, spatial, kernel, stride, groups, batched):
    dilation, extra = data.draw(few), data.draw(st.integers(0, stride - 1))
    model = getattr(nn, f"ConvTranspose{spatial}d")(
        2 * groups, data.draw(few) * groups, kernel, stride, 0, extra, groups, dilation=dilation
    )
    shape = ((2,) if batched else ()) + (2 * groups, *data.draw(st.tuples(*[st.integers(1, 4)] * spatial)))
    call = getattr(F, f"conv_transpose{spatial}d")
    ones = torch.ones_like(model.weight)
    products = call(torch.ones(shape), ones, None, stride, 0, extra, groups, dilation).sum()
    assert resflops.count(model, shape).macs == int(products)
    assert resflops.trace(model, shape).ops == resflops.trace(model, shape, real=True).ops
