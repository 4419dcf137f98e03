"""The layers of an exported program as other counters see them: of torch's classes, with their attributes."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import resflops
from resflops.sources.programs import make_module, restore_classes
from tests.sources.programs.exporting import export

IMAGE, ROW, TEXT = torch.zeros(2, 4, 8, 8), torch.zeros(2, 4), torch.zeros(2, 5, 4)

LAYERS = [
    (nn.Conv2d(4, 6, (3, 5), stride=2, padding=1, groups=2, bias=False), IMAGE, "in_channels out_channels kernel_size stride padding dilation groups bias"),
    (nn.ConvTranspose2d(4, 6, 3, groups=2), IMAGE, "in_channels out_channels kernel_size stride output_padding groups"),
    (nn.Linear(4, 3), ROW, "in_features out_features"),
    (nn.BatchNorm2d(4, affine=False), IMAGE, "affine eps training"),
    (nn.BatchNorm2d(4), IMAGE, "affine num_features"),
    (nn.LayerNorm(8), IMAGE, "elementwise_affine normalized_shape eps"),
    (nn.GroupNorm(2, 4), IMAGE, "affine num_groups eps"),
    (nn.InstanceNorm2d(4, affine=True), IMAGE, "affine"),
    (nn.MaxPool2d(2, padding=1), IMAGE, "kernel_size stride padding dilation ceil_mode"),
    (nn.AvgPool2d(2, ceil_mode=True), IMAGE, "ceil_mode count_include_pad"),
    (nn.AdaptiveAvgPool2d(3), IMAGE, ""),
    (nn.Softmax(1), ROW, "dim"),
    (nn.ReLU(inplace=True), ROW, ""),
    (nn.PReLU(), ROW, ""),
    (nn.Upsample(scale_factor=2, mode="bilinear"), IMAGE, "mode"),
    (nn.Dropout(0.3), ROW, "p"),
    (nn.LSTM(4, 3, 2, batch_first=True, bidirectional=True), TEXT, "input_size hidden_size num_layers bias batch_first bidirectional"),
    (nn.GRUCell(4, 3), ROW, "input_size hidden_size bias"),
]  # fmt: skip


@pytest.mark.parametrize(("layer", "x", "attributes"), LAYERS, ids=lambda each: type(each).__name__)
def test_a_stand_in_becomes_a_layer_of_torchs(layer, x, attributes):
    model = nn.Sequential(nn.Identity(), layer).eval()
    module = make_module(export(model, (x,)))
    expected = module(x.clone())
    restore_classes(module)
    restored = module.get_submodule("1")
    assert type(restored) is type(layer)
    for name in attributes.split():
        own, its = getattr(layer, name), getattr(restored, name)
        pair = its == (own, own) if isinstance(own, int) and isinstance(its, tuple) else its == own
        assert pair, f"{name}: {its} for {own}"
    assert torch.equal(torch.as_tensor(module(x.clone())[0]), torch.as_tensor(expected[0]))


def test_a_class_of_the_users_stays_what_it_is():
    class Own(nn.ReLU):
        pass

    module = make_module(export(nn.Sequential(Own(), nn.ReLU()), (ROW,)))
    restore_classes(module)
    assert [type(each) is nn.ReLU for each in module.children()] == [False, True]


def test_functions_are_called_where_the_model_calls_them(monkeypatch):
    class Calling(nn.Module):
        def __init__(self):
            super().__init__()
            self.act = nn.ReLU(inplace=True)

        def forward(self, x):
            return F.gelu(F.softmax(self.act(F.layer_norm(x, (8,))), -1)) + torch.sigmoid(x) * x.tanh()

    module = make_module(export(Calling(), (IMAGE,)))
    called = []

    def replace(place, name):
        own = getattr(place, name)
        monkeypatch.setattr(place, name, lambda *args, **kwargs: called.append(name) or own(*args, **kwargs))

    for name in ("relu", "gelu", "softmax", "layer_norm"):
        replace(F, name)
    replace(torch, "sigmoid")
    replace(torch.Tensor, "tanh")
    module(IMAGE)
    assert sorted(called) == ["gelu", "layer_norm", "relu", "sigmoid", "softmax", "tanh"]


@pytest.mark.parametrize("peer", ["thop", "ptflops", "torchinfo", "FlopCounterMode"])
def test_a_counter_says_of_a_program_what_it_says_of_the_model(peer):
    pytest.importorskip(peer if peer != "FlopCounterMode" else "torch")
    model = nn.Sequential(
        nn.Conv2d(4, 6, 3),
        nn.BatchNorm2d(6),
        nn.ReLU(inplace=True),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(54, 5),
    ).eval()
    program = export(model, (IMAGE,))
    (own,) = resflops.crosscheck(model, IMAGE, peers=[peer]).rows
    (row,) = resflops.crosscheck(program, IMAGE, peers=[peer]).rows
    assert (row.figure, row.unexplained, row.unexplained_params) == (own.figure, 0, 0)
    assert row.causes == own.causes


def test_what_a_counter_does_not_see_as_torchs_class_is_explained_without_it():
    pytest.importorskip("ptflops")
    model = nn.TransformerEncoderLayer(8, 2, 16).eval()
    program = export(model, (torch.zeros(3, 2, 8),))
    (row,) = resflops.crosscheck(program, torch.zeros(3, 2, 8), peers=["ptflops"]).rows
    assert (row.unexplained, row.unexplained_params) == (0, 0)
