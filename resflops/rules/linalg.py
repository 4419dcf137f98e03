"""Factorisations and solutions of linear systems whose count follows from the size.

Counts of real multiplications, divisions and additions are LAPACK's own: LAPACK Working
Note 41, "Installation Guide for LAPACK" (Blackford & Dongarra 1999), appendix C. They are
arithmetic and not multiply-accumulates, which are matrix products. What iterates until it
has converged (eigenvalues, singular values) has no rule.
"""

from math import prod

from resflops.records import OpRecord, Work
from resflops.rules.registry import rule


def _batch_and_size(record: OpRecord) -> tuple[int, int]:
    shape = record.input_shapes[0]
    return prod(shape[:-2]), shape[-1]


def _lu(n: int) -> int:
    """GETRF: n³/3 + 2n/3 multiplications and n³/3 - n²/2 + n/6 additions."""
    return (4 * n**3 - 3 * n**2 + 5 * n) // 6


@rule("linalg_lu_factor_ex", "linalg_lu", "_linalg_slogdet")
def lu(record: OpRecord) -> Work:
    """2n³/3 - n²/2 + 5n/6 arithmetic operations per matrix (GETRF)."""
    batch, n = _batch_and_size(record)
    return Work(arithmetic=batch * _lu(n), transcendental=batch * n if "log" in record.op else 0)


@rule("_linalg_det")
def determinant(record: OpRecord) -> Work:
    """A factorisation (GETRF), and n - 1 multiplications of its diagonal."""
    batch, n = _batch_and_size(record)
    return Work(arithmetic=batch * (_lu(n) + max(n - 1, 0)))


@rule("linalg_inv_ex")
def inverse(record: OpRecord) -> Work:
    """A factorisation (GETRF), and 4n³/3 - n² + 5n/3 operations to invert it (GETRI)."""
    batch, n = _batch_and_size(record)
    return Work(arithmetic=batch * (_lu(n) + (4 * n**3 - 3 * n**2 + 5 * n) // 3))


@rule("_linalg_solve_ex")
def solve(record: OpRecord) -> Work:
    """A factorisation (GETRF), and 2n² - n operations for each right-hand side (GETRS)."""
    batch, n = _batch_and_size(record)
    sides = prod(record.output_shape) // n if n else 0
    return Work(arithmetic=batch * _lu(n) + sides * (2 * n**2 - n))


@rule("linalg_cholesky_ex")
def cholesky(record: OpRecord) -> Work:
    """n³/3 + n²/2 + n/6 arithmetic operations per matrix (POTRF), n of them roots."""
    batch, n = _batch_and_size(record)
    return Work(arithmetic=batch * ((2 * n**3 + 3 * n**2 + n) // 6 - n), transcendental=batch * n)


@rule("linalg_solve_triangular", "triangular_solve")
def solve_triangular(record: OpRecord) -> Work:
    """n² operations for each right-hand side (TRTRS)."""
    n = min(record.input_shapes[0][-2:])
    return Work(arithmetic=prod(record.output_shape) * n)
