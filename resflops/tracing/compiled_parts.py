"""Functions, methods and modules that the user has compiled: in a trace they run as they were written.

No recorder sees what compiled code does, and with fullgraph=True torch refuses to go on without compiling. So
in a thread in which a trace runs, the compiler's stance is "force_eager", and the user's own elsewhere.
"""

from typing import Any

from resflops.tracing.redirections import find_recorder, redirect_value

__all__ = ["EagerStance"]


@redirect_value("torch._dynamo.eval_frame", "_stance")
class EagerStance:
    """Takes the place of the process's one stance, which torch.compiler.set_stance sets.

    Args:
        own: the stance that was set.
    """

    def __init__(self, own: Any) -> None:
        self._own = own

    @property
    def stance(self) -> str:
        """Whether to compile."""
        return "force_eager" if find_recorder() is not None else str(self._own.stance)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._own, name)
