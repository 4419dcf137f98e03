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


def _lu(n: int, other: int | None = None) -> int:
    """GETRF of n×n, or of n×m with n the smaller.

    Square: n³/3 + 2n/3 multiplications and n³/3 - n²/2 + n/6 additions. Else mn²/2 - n³/6 + mn/2 - n²/2
    + 2n/3 and mn²/2 - n³/6 - mn/2 + n/6.
    """
    m = other or n
    return (6 * m * n**2 - 2 * n**3 - 3 * n**2 + 5 * n) // 6


def solve_by_lu_work(n: int, *, sides: int) -> int:
    """Operations of a solution by the factors of an n×n matrix (GETRS): 2n² - n for each right-hand side."""
    return sides * (2 * n**2 - n)


def solve_triangular_work(n: int, *, sides: int) -> int:
    """Operations of a solution by an n×n triangle (TRTRS): n² for each right-hand side."""
    return sides * n**2


@rule("linalg_lu_factor_ex", "linalg_lu", "_linalg_slogdet")
def lu(record: OpRecord) -> Work:
    """2n³/3 - n²/2 + 5n/6 operations per n×n matrix (GETRF); mn² - n³/3 - n²/2 + 5n/6 if m×n, m > n."""
    shape = record.input_shapes[0]
    batch, n = prod(shape[:-2]), min(shape[-2:])
    arithmetic = batch * _lu(n, max(shape[-2:]))
    return Work(arithmetic=arithmetic, transcendental=batch * n if "log" in record.op else 0)


@rule("linalg_lu_solve")
def solve_by_lu(record: OpRecord) -> Work:
    """2n² - n arithmetic operations for each right-hand side (GETRS)."""
    _, n = _batch_and_size(record)
    return Work(arithmetic=solve_by_lu_work(n, sides=prod(record.output_shape) // n if n else 0))


@rule("cholesky_solve")
def solve_by_cholesky(record: OpRecord) -> Work:
    """2n² arithmetic operations for each right-hand side (POTRS)."""
    n = record.input_shapes[1][-1]
    return Work(arithmetic=2 * solve_triangular_work(n, sides=prod(record.output_shape) // n if n else 0))


@rule("cholesky_inverse")
def inverse_by_cholesky(record: OpRecord) -> Work:
    """2n³/3 + n²/2 + 5n/6 arithmetic operations per matrix (POTRI)."""
    batch, n = _batch_and_size(record)
    return Work(arithmetic=batch * (4 * n**3 + 3 * n**2 + 5 * n) // 6)


@rule("linalg_qr")
def qr(record: OpRecord) -> Work:
    """Per m×n matrix Householder's reflections (GEQRF), and the columns of Q that are asked for (ORGQR).

    With mode ``r`` no Q is formed.
    """
    shape = record.input_shapes[0]
    batch, m, n = prod(shape[:-2]), shape[-2], shape[-1]
    columns = record.output_shape[-1] if record.attributes.get("mode") != "r" else 0
    return Work(arithmetic=batch * (_householder(m, n) + _formed(m, columns, min(m, n))))


def _householder(m: int, n: int) -> int:
    """GEQRF; m > n: n·(n·(1 - 2n/3 + 2m) + m + 14/3), else m·(m·(-1 - 2m/3 + 2n) + 3n + 14/3)."""
    if m > n:
        return n * (n * (3 - 2 * n + 6 * m) + 3 * m + 14) // 3
    return m * (m * (-3 - 2 * m + 6 * n) + 9 * n + 14) // 3


def _formed(m: int, n: int, k: int) -> int:
    """ORGQR: k·(4mn + 3n - m - 4/3 + k·(4k/3 - 2(m + n) - 1)), n columns of k reflections."""
    return k * (12 * m * n + 9 * n - 3 * m - 4 + k * (4 * k - 6 * (m + n) - 3)) // 3 if n else 0


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
    return Work(arithmetic=batch * _lu(n) + solve_by_lu_work(n, sides=sides))


@rule("linalg_cholesky_ex")
def cholesky(record: OpRecord) -> Work:
    """n³/3 + n²/2 + n/6 arithmetic operations per matrix (POTRF), n of them roots."""
    batch, n = _batch_and_size(record)
    return Work(arithmetic=batch * ((2 * n**3 + 3 * n**2 + n) // 6 - n), transcendental=batch * n)


def triangle_of(record: OpRecord) -> int:
    """Which input is the triangle: the older function takes the right-hand sides first."""
    return 1 if record.op == "triangular_solve" else 0


@rule("linalg_solve_triangular", "triangular_solve")
def solve_triangular(record: OpRecord) -> Work:
    """n² operations for each right-hand side (TRTRS)."""
    n = record.input_shapes[triangle_of(record)][-1]
    return Work(arithmetic=solve_triangular_work(n, sides=prod(record.output_shape) // n if n else 0))
