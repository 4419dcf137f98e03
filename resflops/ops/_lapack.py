"""Count the operations of factorisations and of solving linear systems, as LAPACK counts its own.

They are real multiplications, divisions and additions. The formulas are those of LAPACK Working
Note 41, "Installation Guide for LAPACK" (Blackford & Dongarra 1999), appendix C.
"""

__all__ = [
    "complex_work",
    "form_q_additions",
    "form_q_work",
    "householder_additions",
    "householder_work",
    "lu_additions",
    "lu_work",
    "solve_by_lu_work",
    "solve_triangular_work",
]


def complex_work(operations: int, additions: int) -> int:
    """Count the real operations of a routine on complex numbers: 6 a multiplication, 2 an addition.

    LAPACK's own count for complex routines is the same. The additions are a part of the operations.
    """
    return 6 * operations - 4 * additions


def lu_additions(n: int, other: int | None = None) -> int:
    """Count the additions among the operations of an LU factorisation."""
    m = other or n
    if m == n:
        return (2 * n**3 - 3 * n**2 + n) // 6
    return (3 * m * n**2 - n**3 - 3 * m * n + n) // 6


def lu_work(n: int, other: int | None = None) -> int:
    """Count the operations of an LU factorisation (GETRF) of an n×n matrix, or n×m with n the smaller.

    Square: n³/3 + 2n/3 multiplications and n³/3 - n²/2 + n/6 additions. Else mn²/2 - n³/6 + mn/2 - n²/2
    + 2n/3 and mn²/2 - n³/6 - mn/2 + n/6.
    """
    m = other or n
    # All terms over six, and so exact in integers.
    return (6 * m * n**2 - 2 * n**3 - 3 * n**2 + 5 * n) // 6


def solve_by_lu_work(n: int, *, sides: int) -> int:
    """Count the operations of solving with LU factors (GETRS): 2n² - n for each right-hand side."""
    return sides * (2 * n**2 - n)


def solve_triangular_work(n: int, *, sides: int) -> int:
    """Count the operations of solving with an n×n triangle (TRTRS): n² for each right-hand side."""
    return sides * n**2


def householder_work(m: int, n: int) -> int:
    """Count the operations of a QR factorisation (GEQRF) of an m×n matrix.

    They are n·(n·(1 - 2n/3 + 2m) + m + 14/3) for m > n, else m·(m·(-1 - 2m/3 + 2n) + 3n + 14/3).
    """
    if m > n:
        return n * (n * (3 - 2 * n + 6 * m) + 3 * m + 14) // 3
    return m * (m * (-3 - 2 * m + 6 * n) + 9 * n + 14) // 3


def form_q_work(m: int, n: int, k: int) -> int:
    """Count the operations of forming n columns of Q, of length m, from k reflections (ORGQR).

    They are k·(4mn + 3n - m - 4/3 + k·(4k/3 - 2(m + n) - 1)).
    """
    return k * (12 * m * n + 9 * n - 3 * m - 4 + k * (4 * k - 6 * (m + n) - 3)) // 3 if n else 0


def householder_additions(m: int, n: int) -> int:
    """Count the additions of a QR factorisation.

    They are n·(5/6 + n·(1/2 + m - n/3)) for m > n, else m·(5/6 + n - m/2 + m·(n - m/3)).
    """
    if m > n:
        return n * (5 + n * (3 + 6 * m - 2 * n)) // 6
    return m * (5 + 6 * n - 3 * m + m * (6 * n - 2 * m)) // 6


def form_q_additions(m: int, n: int, k: int) -> int:
    """Count the additions of forming columns of Q: k·(2mn + n - m + 1/3 + k·(2k/3 - m - n))."""
    return k * (6 * m * n + 3 * n - 3 * m + 1 + k * (2 * k - 3 * (m + n))) // 3 if n else 0
