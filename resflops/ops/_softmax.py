"""The work of a softmax, which attention has inside."""

from resflops.records import Work

__all__ = ["softmax_gradient_work", "softmax_work"]


def softmax_work(*, rows: int, length: int) -> Work:
    """The work of a numerically safe softmax over rows of a length."""
    inside = rows * length
    folds = rows * max(length - 1, 0)
    return Work(comparisons=folds, arithmetic=2 * inside + folds, transcendental=inside)


def softmax_gradient_work(*, rows: int, length: int) -> Work:
    """The gradient through a softmax over rows of a length: ``y·(y' - Σ y·y')``."""
    inside = rows * length
    return Work(arithmetic=3 * inside + rows * max(length - 1, 0))
