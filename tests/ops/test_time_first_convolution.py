"""A convolution of sequences with time first: as one with time last."""

import pytest
import torch

from resflops.ops import OPS

CASES = {"padded": (lambda x, w, b: torch.conv_tbc(x, w, b, 1), (6, 2, 4), (3, 4, 8), (8,))}


@pytest.mark.parametrize("style", ["real", "fallback", "make_fx"])
def test_it_costs_the_same_in_every_style(style, compare_style):
    assert compare_style(style, *CASES["padded"]) == set()


def test_it_costs_what_a_convolution_with_time_last_costs(price_style):
    def last(x, w, b):
        return torch.conv1d(x.permute(1, 2, 0), w.permute(2, 1, 0), b, padding=1)

    first = price_style("eager", *CASES["padded"])
    # Six steps of a batch of 2 and 8 channels, 3 taps of 4 channels each.
    assert first["macs"] == 6 * 2 * 8 * 3 * 4
    assert first == price_style("eager", last, *CASES["padded"][1:])


def test_an_input_of_other_channels_is_refused(trace_style):
    with pytest.raises(Exception, match="conv_tbc: takes 5 input channels, but its input has 4"):
        trace_style("eager", torch.conv_tbc, (6, 2, 4), (3, 5, 8), (8,))
    assert OPS["conv_tbc"].family == "convolution"
