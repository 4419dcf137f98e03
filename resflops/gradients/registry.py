"""Where the gradients that stand here are declared until they stand in ``resflops.ops``."""

from resflops.ops import Needed, gradient_rule, joint_gradient_rule, moved_gradient, stopped_gradient
from resflops.ops._declaration import _add_gradient

__all__ = ["Needed", "gradient_rule", "joint_gradient_rule", "moves_gradient", "stops_gradient"]


def moves_gradient(*ops: str, takes: tuple[int, ...] | None = None) -> None:
    """List ops whose gradient takes no arithmetic."""
    _add_gradient(ops, moved_gradient(takes), "resflops")


def stops_gradient(reason: str, *ops: str) -> None:
    """List ops that no gradient passes, with the reason."""
    _add_gradient(ops, stopped_gradient(reason), "resflops")
