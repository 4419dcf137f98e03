"""Activations, arithmetic, functions of one tensor and dropout cost the same however they are called."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.fx.experimental.proxy_tensor import make_fx

import resflops
from resflops.cost import cost_of
from resflops.errors import MissingAttributeError
from resflops.ops import OPS
from resflops.records import MODEL_INPUT, PARAMETER, OpRecord, Trace, Work
from resflops.tracing.modules import Modules
from resflops.tracing.recorder import Recorder

FAMILIES = ("activation", "arithmetic", "elementwise", "dropout")
CONVENTIONS = ("macs", "formula", "flops")


class Call(nn.Module):
    """A function of parameters, so that every operand needs a gradient."""

    def __init__(self, function, *shapes):
        super().__init__()
        self.function = function
        self.operands = nn.ParameterList([torch.full(shape, 0.5) for shape in shapes])

    def forward(self, x):
        return self.function(x, *self.operands)
