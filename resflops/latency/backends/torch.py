"""torch itself: eager, compiled, or as a CUDA graph."""

from collections.abc import Callable
from typing import Any

import torch

from resflops.errors import ModelError
from resflops.latency.attribution import attribute_time
from resflops.latency.backends.base import Subject
from resflops.latency.measurements import Attribution
from resflops.latency.models import prepare_measurable
from resflops.latency.prepare import PreparedModel

__all__ = ["Torch"]


class Torch:
    """Runs a module as it is."""

    def check_available(self, device: str) -> None:
        """Return: torch is always there, and its devices are checked where they are chosen."""

    def read_facts(self, device: str) -> dict[str, str]:
        """Return nothing: what is known of torch is in the environment itself."""
        del device
        return {}

    def prepare(self, subject: Subject) -> PreparedModel:
        """Prepare a model on its device, in its dtype and layout."""
        return prepare_measurable(subject.model, subject.configuration, subject.device)

    def attribute(
        self,
        prepared: Any,  # noqa: ANN401 - what it has prepared itself
        subject: Subject,
        *,
        repetitions: int,
        block: Callable[[], None],
    ) -> Attribution:
        """Attribute the time to modules, by marks before and after each.

        Raises:
            ModelError: it is TorchScript.
        """
        if isinstance(prepared.module, torch.jit.ScriptModule):
            raise ModelError(
                "TorchScript takes no hooks, which mark where a layer begins and ends; "
                "--backend onnxruntime tells the time of its layers"
            )
        device = torch.device(subject.configuration.device)
        return attribute_time(prepared.module, prepared.call, device, repetitions=repetitions, block=block)
