"""How long a model's own variables hold tensors."""

from torch import nn

import resflops


class Rebinding(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        x = self.a(x)
        x = self.b(x)
        return self.c(x)


class Holding(Rebinding):
    def forward(self, x):
        first = self.a(x)
        second = self.b(first)
        return self.c(second)


class Keeping(Rebinding):
    def forward(self, x):
        kept = self.kept = self.a(x)
        return self.c(self.b(kept))


def test_a_trace_says_nothing_of_lifetimes_unless_it_is_asked():
    assert resflops.trace(Rebinding(), (2, 4)).held_until is None


def test_a_variable_that_is_bound_anew_lets_go_of_its_tensor():
    assert resflops.trace(Rebinding(), (2, 4), lifetimes=True).held_until == {}


def test_a_variable_holds_its_tensor_until_the_forward_returns():
    assert resflops.trace(Holding(), (2, 4), lifetimes=True).held_until == {0: 2}


def test_what_the_model_keeps_is_held_until_the_end():
    assert resflops.trace(Keeping(), (2, 4), lifetimes=True).held_until == {0: 3}
