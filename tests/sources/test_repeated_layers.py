"""Layers that are built again: as their constructors make them, and with nothing left behind."""

import copy
import threading
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

import resflops
from resflops.sources import FoundModel
from resflops.sources.building import build_model
from resflops.sources.repeated_layers import _CLASSES

LAYERS = [
    partial(nn.AdaptiveAvgPool2d, (1, None)),
    partial(nn.AvgPool2d, 3, stride=1, padding=1, count_include_pad=False),
    partial(nn.BatchNorm1d, 4, affine=False),
    partial(nn.BatchNorm2d, 4),
    partial(nn.BatchNorm2d, 4, eps=0.001, momentum=None),
    partial(nn.BatchNorm3d, 4, track_running_stats=False),
    partial(nn.Conv1d, 4, 8, 3, bias=False),
    partial(nn.Conv2d, 4, 8, (3, 1), stride=2, padding="valid", groups=2),
    partial(nn.Conv2d, 4, 8, 3, padding=1, padding_mode="reflect"),
    partial(nn.Conv2d, 4, 8, 3, padding=[1, 1]),
    partial(nn.Conv2d, 4, 8, 3, dtype=torch.float16),
    partial(nn.Conv3d, 4, 8, 3),
    partial(nn.ConvTranspose2d, 4, 8, 3, output_padding=1, stride=2),
    partial(nn.Dropout, 0.5),
    partial(nn.Dropout2d, 0.5, True),
    nn.ELU,
    partial(nn.Embedding, 10, 4, padding_idx=3),
    nn.Flatten,
    partial(nn.GELU, approximate="tanh"),
    partial(nn.GroupNorm, 2, 4),
    nn.Hardsigmoid,
    partial(nn.Hardswish, inplace=True),
    partial(nn.Identity, 1, x=None),
    partial(nn.LayerNorm, (4, 4), elementwise_affine=False),
    partial(nn.LayerNorm, 4, bias=False),
    partial(nn.LeakyReLU, 0.2),
    partial(nn.Linear, 4, 8),
    partial(nn.Linear, 4, 8, bias=False),
    partial(nn.MaxPool2d, [3, 3], ceil_mode=True),
    nn.Mish,
    partial(nn.PReLU, 4),
    nn.ReLU,
    nn.ReLU6,
    partial(nn.RMSNorm, 4),
    nn.SiLU,
    nn.Sigmoid,
    partial(nn.Softmax, dim=-1),
    nn.Tanh,
    partial(nn.Upsample, scale_factor=2.0),
]


def build(make):
    return build_model(FoundModel(spec="test", make=make))


def describe(value):
    """All that two modules may differ in, but for the identities of what they hold."""
    if isinstance(value, Tensor):
        held = type(value), value.device, value.dtype, tuple(value.shape), value.stride(), value.requires_grad
        return (*held, value.is_leaf, value.is_inference(), vars(value))
    if isinstance(value, nn.Module):
        return type(value), [(name, describe(each)) for name, each in vars(value).items()]
    if isinstance(value, dict):
        return type(value), [(name, describe(each)) for name, each in value.items()]
    return type(value), value


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_the_next_layer_is_as_the_constructor_makes_it(layer):
    def make():
        return nn.ModuleList(layer() for _ in range(3))

    with torch.device("meta"):
        expected = layer().eval()
    built = build(make)
    for each in (*built, *build(make)):
        assert describe(each) == describe(expected)
    tensors = [*built.parameters(), *built.buffers()]
    assert len({id(each) for each in tensors}) == 3 * len([*expected.parameters(), *expected.buffers()])
    assert len({each.untyped_storage()._cdata for each in tensors}) == len(tensors)


def test_every_class_is_among_the_cases():
    assert {getattr(layer, "func", layer) for layer in LAYERS} == set(_CLASSES)


def test_layers_share_no_container():
    first, second = build(lambda: nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)]))
    first.register_forward_hook(print)
    first.note = "mine"
    first.register_buffer("more", torch.zeros(1))
    assert describe(second) == describe(build(partial(nn.Linear, 2, 2)))


@pytest.mark.parametrize(
    ("first", "second"), [((0,), (0.0,)), ((1,), (True,)), ((0.5,), (0.5, False)), ((0.5, 1), (0.5, True))]
)
def test_equal_arguments_of_other_types_are_other_layers(first, second):
    one, other = build(lambda: nn.ModuleList([nn.Dropout(*first), nn.Dropout(*second)]))
    assert describe(one) == describe(nn.Dropout(*first).eval())
    assert describe(other) == describe(nn.Dropout(*second).eval())


def test_the_default_type_of_the_moment_counts():
    def make():
        layers = [nn.Linear(3, 5)]
        torch.set_default_dtype(torch.float16)
        try:
            return nn.ModuleList([*layers, nn.Linear(3, 5)])
        finally:
            torch.set_default_dtype(torch.float32)

    for _ in range(2):
        assert [layer.weight.dtype for layer in build(make)] == [torch.float32, torch.float16]


class Counting(nn.Linear):
    """A class of the user's, whose constructor must run each time."""

    calls = 0

    def __init__(self, width):
        super().__init__(width, width)
        Counting.calls += 1
        self.number = Counting.calls


def test_a_derived_class_is_constructed_each_time():
    Counting.calls = 0
    assert [layer.number for layer in build(lambda: nn.ModuleList(Counting(7) for _ in range(3)))] == [
        1,
        2,
        3,
    ]


def list_constructors():
    return {kind: (vars(kind).get("__init__"), kind.__init__) for kind in _CLASSES}


def make_failing():
    nn.Linear(2, 2)
    raise KeyError("width")


def make_needing_values():
    return nn.Sequential(*(nn.Linear(2, 2) for _ in range(2 + int(0 * nn.Linear(2, 2).weight.sum().item()))))


@pytest.mark.parametrize("make", [partial(nn.Linear, 2, 2), make_failing, make_needing_values])
def test_the_classes_are_afterwards_as_before(make):
    before = list_constructors()
    try:
        build(make)
    except resflops.ResflopsError:
        assert make is make_failing
    assert list_constructors() == before
    assert list_constructors() == before


def test_a_model_that_needs_values_gets_them_though_its_layers_are_known():
    build(lambda: nn.ModuleList(nn.Linear(2, 2) for _ in range(2)))
    built = build(make_needing_values)
    assert len(built) == 2
    assert not built[0].weight.is_meta


def test_another_thread_gets_values_meanwhile():
    seen = []

    def elsewhere():
        layer = nn.Linear(16, 16)
        seen.append(
            (
                layer.weight.device.type,
                layer.weight.detach().abs().sum().item() > 0,
                layer(torch.ones(16)).shape,
            )
        )

    def make():
        first = nn.Linear(16, 16)
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        return nn.Sequential(first, nn.Linear(16, 16))

    for _ in range(2):
        assert {each.device.type for each in build(make).parameters()} == {"meta"}
    assert seen == [("cpu", True, (16,))] * 2


def test_two_threads_that_build_at_once_get_their_own_models():
    built = {}
    meet = threading.Barrier(2, timeout=30)

    def make(width):
        layers = [nn.Linear(width, width)]
        meet.wait()
        layers += [nn.Linear(width, width) for _ in range(20)]
        meet.wait()
        return nn.Sequential(*layers)

    before = list_constructors()
    threads = [
        threading.Thread(target=lambda width=width: built.update({width: build(partial(make, width))}))
        for width in (3, 4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list_constructors() == before
    for width in (3, 4):
        assert {(each.shape[0], each.device.type) for each in built[width].parameters()} == {(width, "meta")}


def test_a_model_may_be_built_inside_of_another():
    def make():
        inner = build(partial(nn.Linear, 3, 3))
        return nn.Sequential(nn.Linear(3, 3), inner, nn.Linear(3, 3))

    before = list_constructors()
    for _ in range(2):
        assert [each.device.type for each in build(make).parameters()] == ["meta"] * 6
    assert list_constructors() == before


def test_a_hook_on_registrations_sees_each_parameter():
    seen = []
    handle = register_module_parameter_registration_hook(lambda module, name, parameter: seen.append(name))
    try:
        build(lambda: nn.ModuleList(nn.Linear(2, 2) for _ in range(3)))
    finally:
        handle.remove()
    assert seen == ["weight", "bias"] * 3


def test_a_replaced_initialiser_of_a_class_is_called_each_time(monkeypatch):
    calls = []
    monkeypatch.setattr(nn.Linear, "reset_parameters", lambda self: calls.append(self.in_features))
    build(lambda: nn.ModuleList(nn.Linear(2, 2) for _ in range(3)))
    assert calls == [2, 2, 2]


def test_a_class_that_a_constructor_replaces_stays_replaced():
    before = nn.Tanh.__init__

    def replacement(self):
        nn.Module.__init__(self)

    def make():
        nn.Tanh.__init__ = replacement
        return nn.Linear(2, 2)

    had = "__init__" in vars(nn.Tanh)
    try:
        build(make)
        assert nn.Tanh.__init__ is replacement
    finally:
        if had:
            nn.Tanh.__init__ = before
        else:
            del nn.Tanh.__init__


def test_a_constructor_that_was_kept_works_afterwards():
    kept = []

    def make():
        kept.append(nn.Linear.__init__)
        return nn.Linear(2, 2)

    build(make)
    layer = nn.Linear.__new__(nn.Linear)
    kept[0](layer, 3, 4)
    assert (layer.weight.shape, layer.weight.device.type) == ((4, 3), "cpu")


def test_the_built_model_can_be_copied_and_counted():
    built = build(lambda: nn.Sequential(*(nn.Linear(4, 4) for _ in range(3))))
    assert resflops.count(copy.deepcopy(built), (2, 4)).macs == 3 * 2 * 4 * 4


class Plain(nn.BatchNorm2d):
    """Adds an attribute and a forward, and changes nothing that torch's constructor calls or sets."""

    def __init__(self, width):
        super().__init__(width)
        self.note = width

    def forward(self, x):
        return super().forward(x) * 2


class Resetting(nn.BatchNorm2d):
    """Has an initialiser of its own, which torch's constructor calls."""

    resets = 0

    def reset_parameters(self):
        Resetting.resets += 1


class Registering(nn.BatchNorm2d):
    """Sees what is registered."""

    seen = 0

    def register_parameter(self, name, param):
        Registering.seen += 1
        super().register_parameter(name, param)


class Property(nn.BatchNorm2d):
    """Keeps an attribute of torch's elsewhere."""

    @property
    def eps(self):
        return self.__dict__["_eps"] * 2

    @eps.setter
    def eps(self, value):
        self.__dict__["_eps"] = value


class Mixin(nn.Module):
    """Comes between a class and nn.Module."""

    made = 0

    def __init__(self):
        super().__init__()
        Mixin.made += 1


class Mixed(nn.BatchNorm2d, Mixin):
    """Torch's constructor calls the mixin's."""


@pytest.mark.parametrize("kind", [Plain, Resetting, Registering, Property, Mixed])
def test_a_derived_class_is_as_its_constructors_make_it(kind):
    with torch.device("meta"):
        expected = kind(4).eval()
    Resetting.resets = Registering.seen = Mixin.made = 0
    for _ in range(2):
        # The class that it is derived from is known by then.
        for each in build(lambda: nn.ModuleList([nn.BatchNorm2d(4), kind(4), kind(4)]))[1:]:
            assert describe(each) == describe(expected)
    # And the other way round: what is not known yet is not learned from what it changes.
    width = 5 + [Plain, Resetting, Registering, Property, Mixed].index(kind)
    with torch.device("meta"):
        expected = describe(kind(width).eval()), describe(nn.BatchNorm2d(width).eval())
    first, second = build(lambda: nn.ModuleList([kind(width), nn.BatchNorm2d(width)]))
    assert (describe(first), describe(second)) == expected
    calls = {Resetting: Resetting.resets, Registering: Registering.seen, Mixed: Mixin.made}
    assert calls.get(kind, 6) == (12 if kind is Registering else 6)
