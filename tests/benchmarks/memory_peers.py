"""What others say of a network's memory: torch's MemTracker, torchinfo and accelerate."""

from typing import Any

import torch
from memory_networks import Network, find_logits
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.distributed._tools.mem_tracker import MemTracker
from torch.nn.functional import cross_entropy
from torch.utils.checkpoint import checkpoint

__all__ = ["ask_accelerate", "ask_torchinfo", "prepare_mem_tracker"]


class prepare_mem_tracker:
    """A network under MemTracker, built and ready: as its documentation shows, on fake tensors."""

    def __init__(
        self,
        network: Network,
        batch: int,
        *,
        training: bool,
        adamw: bool = False,
        paths: tuple[str, ...] = (),
    ) -> None:
        self._training = training
        self._fake = FakeTensorMode(allow_non_fake_inputs=True)
        with self._fake:
            self._model: nn.Module = network.build().train(training)
            self._given = network.make_input(batch)
            self._optimizer = (
                torch.optim.AdamW(self._model.parameters(), lr=1e-4, foreach=False) if adamw else None
            )
            for path in paths:
                _checkpoint(self._model.get_submodule(path))
            self._targets = self._make_targets() if training else None

    def __call__(self) -> int:
        """Run a pass under it; the peak in bytes, with everything that was there before."""
        tracker = MemTracker()
        held: list[Any] = [self._model, self._given]
        held += [each for each in (self._optimizer, self._targets) if each is not None]
        tracker.track_external(*held)
        self._model.zero_grad(set_to_none=True)
        with self._fake, tracker:
            # An optimiser makes its state in its first step, and a plain step is the second.
            for number in range(2 if self._optimizer is not None else 1):
                self._step()
                if number == 0 and self._optimizer is not None:
                    self._model.zero_grad(set_to_none=True)
                    tracker.reset_mod_stats()
        snapshot = tracker.get_tracker_snapshot("peak")
        return int(snapshot[torch.device("cpu")]["Total"])

    def _step(self) -> None:
        if not self._training:
            with torch.no_grad():
                self._model(self._given)
            return
        loss = cross_entropy(find_logits(self._model(self._given)), self._targets)  # type: ignore[arg-type]
        loss.backward()  # type: ignore[no-untyped-call]
        if self._optimizer is not None:
            self._optimizer.step()

    def _make_targets(self) -> Tensor:
        with torch.no_grad():
            scores = find_logits(self._model(self._given))
        return torch.zeros(scores.shape[0], *scores.shape[2:], dtype=torch.int64)


def _checkpoint(module: nn.Module) -> None:
    plain = module.forward

    def forward(*args: Any, **kwargs: Any) -> Any:
        return checkpoint(plain, *args, use_reentrant=False, **kwargs)

    module.forward = forward


def ask_torchinfo(model: nn.Module, given: Tensor) -> int:
    """Ask torchinfo for its "estimated total size": input, forward and backward pass, parameters."""
    from torchinfo import summary  # type: ignore[import-not-found, import-untyped, unused-ignore]

    found = summary(model, input_data=given, verbose=0)
    return int(found.total_input + found.total_output_bytes + found.total_param_bytes)


def ask_accelerate(model: nn.Module, *, training: bool) -> int:
    """Ask accelerate, as ``accelerate estimate-memory`` does: of training with Adam four times the weights."""
    from accelerate.utils import calculate_maximum_sizes  # type: ignore[import-untyped, unused-ignore]

    size = calculate_maximum_sizes(model)[0]
    return int(4 * size if training else size)
