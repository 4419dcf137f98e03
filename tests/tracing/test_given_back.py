"""Whatever a forward pass does to its model, the model is as before after a count."""

import collections
import contextlib
import gc
import itertools
import random
import threading
import weakref

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

import resflops
from resflops.errors import ResflopsError


class Memory:
    last = None

    def __init__(self):
        self.notes = {"calls": 0, "nested": [1, [2]]}


class Slotted:
    __slots__ = ("last",)

    def __init__(self):
        self.last = None


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner, self.cache = nn.Linear(4, 4), None

    def forward(self, x):
        self.cache = self.inner(x) if self.cache is None else self.cache + 1
        return self.inner(x) + self.cache


class Doer(nn.Module):
    """Does what it is told to do to itself, then perhaps looks at values, then perhaps raises."""

    def __init__(self, deeds, *, looks=False, ends=None):
        super().__init__()
        self.layer, self.other, self.norm = nn.Linear(4, 4), nn.Linear(4, 4), nn.BatchNorm1d(4)
        self.register_buffer("count", torch.zeros(3))
        self.register_buffer("wide", torch.ones(1, 4).expand(4, 4))
        self.register_buffer("hidden", torch.zeros(2), persistent=False)
        self.tensor, self.made = torch.zeros(4), torch.ones(4, requires_grad=True) * 2
        self.items, self.seen, self.names, self.queue = (
            [torch.zeros(1, 4)],
            {},
            {"a"},
            collections.deque([1], 3),
        )
        self.ordered = collections.OrderedDict(a=1, b=2)
        self.memory, self.slotted, self.blocks = Memory(), Slotted(), [Block()]
        self.pair = ([0], "fixed")
        self.own = random.Random(1)
        self.own_numpy = np.random.default_rng(1)
        self.numbers = itertools.count()
        self.handle = self.other.register_forward_hook(pass_on)
        self.layer.weight.grad = torch.ones(4, 4)
        self.deeds, self.looks, self.ends = tuple(deeds), looks, ends
        self.train()

    def forward(self, x):
        ends, y = self.ends, self.norm(self.other(self.layer(x)))
        for deed in self.deeds:
            DEEDS[deed](self, y)
        if self.looks and y.sum().item() > 1e9:
            y = y + 1
        if ends is not None:
            raise ends
        return y


def pass_on(module, args, out):
    return out


def remove_hook(model, y):
    model.handle.remove()


def write_parameter(model, y):
    with torch.no_grad():
        model.layer.weight.clamp_(-0.01, 0.01)


def rename(model, name):
    if name in vars(model):
        vars(model)["renamed"] = vars(model).pop(name)


DEEDS = {
    "sets an attribute": lambda model, y: setattr(model, "new", y),
    "sets an attribute of a layer": lambda model, y: setattr(model.layer, "new", y),
    "deletes an attribute": lambda model, y: delattr(model, "pair") if hasattr(model, "pair") else None,
    "renames the last attribute": lambda model, y: rename(model, "ends"),
    "renames an attribute": lambda model, y: rename(model, "names"),
    "appends": lambda model, y: model.items.append(y),
    "replaces an item": lambda model, y: model.items.__setitem__(0, torch.cat([model.items[0], y])),
    "fills a dict": lambda model, y: model.seen.__setitem__(len(model.seen), y),
    "reorders": lambda model, y: model.ordered.move_to_end("a"),
    "adds to a set": lambda model, y: model.__dict__.get("names", set()).add(len(model.seen)),
    "rotates": lambda model, y: model.queue.append(y),
    "remembers": lambda model, y: setattr(model.memory, "last", y),
    "writes deep": lambda model, y: model.memory.notes["nested"][1].append(y),
    "counts": lambda model, y: model.memory.notes.update(calls=model.memory.notes["calls"] + 1),
    "fills a slot": lambda model, y: setattr(model.slotted, "last", y),
    "calls a hidden module": lambda model, y: model.blocks[0](y),
    "writes into a tuple's list": lambda model, y: getattr(model, "pair", ([],))[0].append(y),
    "draws": lambda model, y: (model.own.random(), model.own_numpy.random(), next(model.numbers)),
    "registers a hook": lambda model, y: model.layer.register_forward_hook(pass_on),
    "registers another hook": lambda model, y: model.layer.register_full_backward_hook(pass_on),
    "registers a hook for all": lambda model, y: nn.modules.module.register_module_forward_hook(pass_on),
    "removes a hook": remove_hook,
    "adds a hidden buffer": lambda model, y: model.register_buffer("late", y, persistent=False),
    "drops a hidden buffer": lambda model, y: model._buffers.pop("hidden", None),
    "shows a hidden buffer": lambda model, y: model.register_buffer("hidden", torch.ones(2)),
    "writes into a buffer": lambda model, y: model.count.add_(1),
    "resizes a buffer": lambda model, y: model.count.resize_(9),
    "gives a buffer data": lambda model, y: setattr(model.count, "data", torch.ones(7)),
    "writes into a parameter": write_parameter,
    "writes past autograd": lambda model, y: model.layer.weight.data.fill_(3),
    "freezes": lambda model, y: model.layer.requires_grad_(False),
    "drops a gradient": lambda model, y: setattr(model.layer.weight, "grad", None),
    "replaces a parameter": lambda model, y: setattr(model.other, "bias", nn.Parameter(torch.zeros(4))),
    "writes into a tensor": lambda model, y: model.tensor.mul_(0.9).add_(1),
    "adds a layer": lambda model, y: model.add_module("extra", nn.Linear(2, 2)),
    "evaluates": lambda model, y: model.eval(),
}


READ = (
    (bool | int | float | str | bytes | None, lambda value, found: value),
    (torch.Tensor, lambda value, found: read_tensor(value, found)),
    (dict, lambda value, found: [(str(key), read(item, found)) for key, item in value.items()]),
    (list | tuple | collections.deque, lambda value, found: [read(item, found) for item in value]),
    (set, lambda value, found: sorted(map(str, value))),
    (random.Random, lambda value, found: value.getstate()),
    (np.random.Generator, lambda value, found: str(value.bit_generator.state)),
    (itertools.count, lambda value, found: repr(value)),
    (Slotted, lambda value, found: read(value.last, found)),
    (nn.Module | Memory, lambda value, found: read(vars(value), found)),
    (object, lambda value, found: None),
)


def read(value, found=None):
    """Read all there is to a value, with who is who."""
    found = {} if found is None else found
    if id(value) not in found:
        found[id(value)] = type(value), id(value)
        content = next(look for kinds, look in READ if isinstance(value, kinds))(value, found)
        # Small numbers and texts are one object each, or several, as Python sees fit.
        return content if isinstance(value, bool | int | float | str | None) else (*found[id(value)], content)
    return found[id(value)]


def read_tensor(tensor, found):
    gradient = read(tensor.grad, found) if tensor.is_leaf else None
    form = tuple(tensor.shape), tensor.stride(), tensor.requires_grad, tensor.is_meta
    return form, tensor.tolist(), gradient, sorted(vars(tensor))


def read_process():
    return (
        random.getstate(), str(np.random.get_state()), torch.get_rng_state().tolist(),
        torch.is_grad_enabled(), torch.get_default_dtype(), len(nn.modules.module._global_forward_hooks),
    )  # fmt: skip


def count(model, **how):
    # An interrupt is not ours to keep.
    with contextlib.suppress(ResflopsError, KeyboardInterrupt):
        return resflops.trace(model, torch.ones(2, 4), **how)


RESHAPING = {"resizes a buffer", "gives a buffer data"}
"""A pass on shapes does these to a double of the buffer, so that only a real run can go on with the new shape."""


@pytest.mark.parametrize("how", ["on shapes", "for real", "after a look at values"])
@pytest.mark.parametrize("deed", sorted(DEEDS))
def test_each_deed_is_undone(deed, how):
    model = Doer([deed], looks=how == "after a look at values")
    before = read(model), read_process()
    trace = resflops.trace(model, torch.ones(2, 4), real=how == "for real")
    assert (read(model), read_process()) == before
    assert trace.execution == ("meta" if how == "on shapes" and deed not in RESHAPING else "real")
    assert resflops.trace(model, torch.ones(2, 4), real=how == "for real") == trace


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    deeds=st.lists(st.sampled_from(sorted(DEEDS)), max_size=6),
    looks=st.booleans(),
    real=st.booleans(),
    ends=st.sampled_from([None, ValueError, KeyboardInterrupt, SystemExit]),
)
def test_a_model_is_as_before_whatever_it_does_and_however_it_ends(deeds, looks, real, ends):
    model = Doer(deeds, looks=looks, ends=ends)
    before = read(model), read_process()
    first = count(model, real=real)
    assert (read(model), read_process()) == before
    assert count(model, real=real) == first


def test_a_pending_backward_pass_still_works_after_a_real_run():
    model = Doer(["writes into a parameter", "writes into a buffer"])
    loss = model.layer(torch.ones(2, 4)).square().sum()
    resflops.trace(model, torch.ones(2, 4), real=True)
    loss.backward()
    assert model.layer.weight.grad.shape == (4, 4)


class Unique(nn.Module):
    """Cannot be copied, and so is run itself."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)
        self.register_buffer("wide", torch.ones(1, 4).expand(4, 4))
        self.register_buffer("steps", torch.zeros(2))
        self.layer.weight.grad = torch.ones(4, 4)

    def __deepcopy__(self, memo):
        raise TypeError("there is one of me")

    def forward(self, x):
        self.steps.resize_(5).fill_(1)
        self.layer.weight.data.fill_(2)
        self.layer.bias.data = torch.zeros(9)[:4]
        self.layer.weight.grad.zero_()
        self.layer.requires_grad_(False)
        y = self.layer(x)
        return y + 1 if y.sum().item() > 0 else y


@pytest.mark.parametrize("real", [False, True], ids=["after a look at values", "for real"])
def test_a_model_that_cannot_be_copied_has_its_values_put_back(real):
    model = Unique()
    before = read(model)
    loss = model.layer(torch.ones(1, 4)).square().sum()
    assert resflops.trace(model, torch.ones(2, 4), real=real).execution == "real"
    assert read(model) == before
    loss.backward()


def test_a_function_that_encloses_the_model_calls_the_model_that_is_counted():
    model = nn.Sequential(nn.Linear(4, 4))
    model.step = lambda x: model[0](x) * (2 if model[0](x).sum().item() > 0 else 1)

    class Wrapped(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.call = model, model.step

        def forward(self, x):
            return self.call(x)

    cost = resflops.count(Wrapped(), torch.ones(1, 4))
    assert [(row.name, row.calls, row.op) for row in cost.layers if row.op == "linear"] == [
        ("body.0", 2, "linear")
    ]


class Force(nn.Module):
    """Takes a gradient, and then looks at a value."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x):
        x = x.clone().requires_grad_()
        with torch.enable_grad():
            energy = self.layer(x).square().sum()
            (force,) = torch.autograd.grad(energy, x)
        return force if energy.item() >= 0 else -force


@pytest.mark.parametrize("made", [contextlib.nullcontext, torch.inference_mode])
@pytest.mark.parametrize("counted", [contextlib.nullcontext, torch.inference_mode])
def test_a_copy_can_take_gradients_whatever_mode_it_is_made_in(made, counted):
    with made():
        model = Force()
    with counted():
        trace = resflops.trace(model, torch.ones(2, 4))
    assert (trace.execution, resflops.count(trace).macs) == ("real", 2 * (2 * 4 * 4))


class Sleepy(nn.Module):
    """Lets other threads run in the middle of its forward."""

    def __init__(self, *, looks):
        super().__init__()
        self.layer, self.norm, self.cache, self.looks = nn.Linear(4, 4), nn.BatchNorm1d(4), None, looks

    def forward(self, x):
        self.cache = self.layer(x)
        pause.wait(0.001)
        y = self.norm(self.cache)
        return y * 2 if self.looks and y.sum().item() > 1e9 else y


pause = threading.Event()


def run_together(*jobs):
    errors = []

    def attempt(job):
        try:
            for _ in range(8):
                job()
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not be
            errors.append(error)

    threads = [threading.Thread(target=attempt, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


@pytest.mark.parametrize("looks", [False, True], ids=["on shapes", "for real"])
def test_one_model_is_counted_in_six_threads(looks):
    model, traces = Sleepy(looks=looks), []
    before, expected = read(model), resflops.trace(model, torch.ones(2, 4))
    assert run_together(*[lambda: traces.append(resflops.trace(model, torch.ones(2, 4)))] * 6) == []
    assert len(traces) == 48
    assert all(trace == expected for trace in traces)
    assert read(model) == before


@pytest.mark.parametrize("real", [False, True])
def test_a_tensor_that_is_set_while_a_model_is_copied_does_not_keep_it_from_being_copied(real):
    class SetsWhenCopied:
        # What is in slots is no plain state, so that a copy of it is tried first.
        __slots__ = ("anything",)

        def __deepcopy__(self, memo):
            # As another thread may, which runs the model.
            model.cache = model.layer(torch.ones(1, 4))
            return SetsWhenCopied()

    class Counted(Sleepy):
        def forward(self, x):
            ran.append(self)
            return super().forward(x)

    model, ran = Counted(looks=False).eval(), []
    model.setter = SetsWhenCopied()
    assert run_together(lambda: resflops.trace(model, (2, 4), real=real)) == []
    assert ran
    assert not any(each is model for each in ran)
    assert not model.cache.is_meta


def test_a_forward_beside_a_count_meets_no_meta_tensor():
    model = Sleepy(looks=False).eval()
    expected = model(torch.ones(2, 4))

    def run():
        assert torch.equal(model(torch.ones(2, 4)), expected)

    assert run_together(run, run, *[lambda: resflops.count(model, (2, 4))] * 3) == []
    assert not model.cache.is_meta


def test_a_count_repeats_no_number_that_another_thread_has_drawn():
    class Draws(nn.Module):
        def forward(self, x):
            pause.wait(0.001)
            return x * random.random()

    model, drawn = Draws(), []

    def draw():
        drawn.extend(random.random() for _ in range(50))
        pause.wait(0.001)

    assert run_together(draw, *[lambda: resflops.count(model, (2, 4))] * 3) == []
    assert len(set(drawn)) == len(drawn) == 400


def make_parametrised():
    return nn.utils.parametrizations.weight_norm(nn.Linear(8, 8))


def make_own_class():
    class Own(nn.Sequential):
        pass

    return Own(nn.Linear(8, 8), nn.ReLU())


@pytest.mark.parametrize("make", [make_parametrised, make_own_class])
def test_models_and_their_classes_die(make):
    refs = []
    for _ in range(10):
        model = make()
        resflops.count(model, (2, 8))
        refs += [weakref.ref(model), weakref.ref(type(model))]
        del model
    gc.collect()
    assert not any(ref() for ref in refs)


def test_two_hundred_counts_leave_memory_as_it_was():
    def count_once():
        resflops.count(Doer(["appends", "draws", "registers a hook"]), (2, 4))

    for _ in range(20):
        count_once()
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(200):
        count_once()
    gc.collect()
    assert len(gc.get_objects()) - before < 200
