"""Gradients of factorisations and solutions of linear systems.

Each is written as torch's own backward pass writes it (torch/csrc/autograd/FunctionsManual.cpp),
after Giles 2008, "Collected matrix derivative results for forward and reverse mode algorithmic
differentiation" (https://people.maths.ox.ac.uk/gilesm/files/AD2008.pdf), section 2. Matrix products are
multiply-accumulates; solving with what the forward pass has factorised is arithmetic, counted as in
``rules/linalg.py``. Of several outputs each is taken to have a gradient, as every tensor is
that no op goes on with.

An eigenvalue or singular value decomposition has a gradient of known size, though the
forward pass, which iterates, has not.
"""

from math import prod

from resflops.gradients.registry import Needed, gradient_rule, joint_gradient_rule
from resflops.records import OpRecord, Work
from resflops.rules.linalg import solve_by_lu_work, solve_triangular_work, triangle_of

_MATRIX, _SIDES = 0, 1


def _sizes(record: OpRecord, operand: int = _MATRIX) -> tuple[int, int, int]:
    """How many matrices, and their rows and columns."""
    shape = record.input_shapes[operand]
    return prod(shape[:-2]), shape[-2], shape[-1]


def _sides(record: OpRecord, n: int) -> int:
    """Right-hand sides of all systems together."""
    return prod(record.output_shape) // n if n else 0


@gradient_rule("linalg_inv_ex")
def inverse_gradient(record: OpRecord, operand: int) -> Work:
    """2n³ MACs per matrix, and n² negations: ``A' = -Y·Y'·Y`` of the inverse Y, transposed."""
    del operand
    batch, n, _ = _sizes(record)
    return Work(macs=2 * batch * n**3, arithmetic=batch * n**2)


@gradient_rule("_linalg_det", "_linalg_slogdet")
def determinant_gradient(record: OpRecord, operand: int) -> Work:
    """``A⁻ᵀ``, scaled: n systems solved by the factors at hand, and for the determinant a product with it.

    ``A' = det'·det·A⁻ᵀ``; of the logarithm ``A' = log'·A⁻ᵀ``.
    """
    del operand
    batch, n, _ = _sizes(record)
    scale = batch if record.op == "_linalg_det" else 0
    return Work(arithmetic=batch * solve_by_lu_work(n, sides=n) + scale)


@joint_gradient_rule("_linalg_solve_ex", takes=(_MATRIX, _SIDES))
def solve_gradient(record: OpRecord, needed: Needed) -> tuple[Work, ...]:
    """Sides: one more solution by the factors at hand; matrix: n² MACs per side, and n² negations.

    ``X = A⁻¹·B`` gives ``B' = A⁻ᵀ·X'`` and ``A' = -B'·Xᵀ``. B' stands with the first that is needed.
    """
    batch, n, _ = _sizes(record)
    sides = _sides(record, n)
    return _solved(needed, solve_by_lu_work(n, sides=sides), Work(macs=sides * n**2, arithmetic=batch * n**2))


@joint_gradient_rule("linalg_solve_triangular", "triangular_solve", takes=(_MATRIX, _SIDES))
def solve_triangular_gradient(record: OpRecord, needed: Needed) -> tuple[Work, ...]:
    """As of any solution; what does not belong to the triangle is computed and dropped."""
    matrix = triangle_of(record)
    batch, n, _ = _sizes(record, matrix)
    of_matrix = Work(macs=prod(record.output_shape) * n, arithmetic=batch * n**2)
    solved = solve_triangular_work(n, sides=_sides(record, n))
    return _solved(needed, solved, of_matrix, matrix=matrix)


def _solved(needed: Needed, solved: int, of_matrix: Work, *, matrix: int = _MATRIX) -> tuple[Work, ...]:
    """Both gradients need the one for the sides, which stands with the first of them."""
    works = []
    for place, operand in enumerate(needed):
        own = of_matrix if operand == matrix else Work()
        first = solved if place == 0 else 0
        works.append(Work(macs=own.macs, arithmetic=own.arithmetic + first))
    return tuple(works)


@gradient_rule("linalg_cholesky_ex")
def cholesky_gradient(record: OpRecord, operand: int) -> Work:
    """n³ MACs per matrix, 2n systems with a triangle solved, and n² halvings.

    ``A' = L⁻ᵀ·½(P + Pᵀ - diag P)·L⁻¹`` with ``P = tril(Lᵀ·L')``; the sum puts each element twice, and
    adds none.
    """
    del operand
    batch, n, _ = _sizes(record)
    return Work(macs=batch * n**3, arithmetic=batch * (2 * solve_triangular_work(n, sides=n) + n**2))


@joint_gradient_rule("cholesky_solve", takes=(0, 1))
def cholesky_solve_gradient(record: OpRecord, needed: Needed) -> tuple[Work, ...]:
    """Sides: as forward; factor L: n² MACs per side and n³ per matrix, 2n² arithmetic.

    ``X = (L·Lᵀ)⁻¹·B`` gives B' by the same solution of X', and ``L' = -(B'·Xᵀ + X·B'ᵀ)·L``.
    """
    batch, n, _ = _sizes(record, 1)
    sides = _sides(record, n)
    of_factor = Work(macs=sides * n**2 + batch * n**3, arithmetic=2 * batch * n**2)
    return _solved(needed, 2 * solve_triangular_work(n, sides=sides), of_factor, matrix=1)


@gradient_rule("cholesky_inverse")
def cholesky_inverse_gradient(record: OpRecord, operand: int) -> Work:
    """3n³ MACs per matrix, 2n² arithmetic: ``L' = -Y·(Y' + Y'ᵀ)·Y·L`` of the inverse Y."""
    del operand
    batch, n, _ = _sizes(record)
    return Work(macs=3 * batch * n**3, arithmetic=2 * batch * n**2)


@joint_gradient_rule("linalg_lu", "linalg_lu_factor_ex", takes=(_MATRIX,))
def lu_gradient(record: OpRecord, needed: Needed) -> tuple[Work, ...] | None:
    """2n³ MACs per square matrix, and 2n systems with a triangle solved; of others it has no rule.

    ``A' = P·L⁻ᵀ·(tril(Lᵀ·L', -1) + triu(U'·Uᵀ))·U⁻ᵀ``; the two parts lie beside each
    other, and P moves rows.
    """
    del needed
    batch, m, n = _sizes(record)
    if m != n:
        return None
    return (Work(macs=2 * batch * n**3, arithmetic=2 * batch * solve_triangular_work(n, sides=n)),)


@joint_gradient_rule("linalg_qr", takes=(_MATRIX,))
def qr_gradient(record: OpRecord, needed: Needed) -> tuple[Work, ...] | None:
    """Of m×n with m ≥ n: n³ + 2mn² MACs, mn² + mn + 2n² + n arithmetic; of wide matrices it has no rule.

    ``A' = (Q' + Q·S)·R⁻ᵀ`` with ``S = M + Mᵀ``, its diagonal halved, of ``M = triu(R'·Rᵀ - Qᵀ·Q')``: a
    difference and a sum of n², n halvings, a sum of mn, and m systems with a triangle solved.
    """
    del needed
    batch, m, n = _sizes(record)
    if m < n:
        return None
    arithmetic = 2 * n**2 + n + m * n + solve_triangular_work(n, sides=m)
    return (Work(macs=batch * (n**3 + 2 * m * n**2), arithmetic=batch * arithmetic),)


@gradient_rule("_linalg_eigh")
def eigh_gradient(record: OpRecord, operand: int) -> Work:
    """3n³ MACs per matrix, and 2n² + n arithmetic.

    ``A' = V·(diag λ' + (Vᵀ·V')/E)·Vᵀ`` with ``E = λ_j - λ_i``: n² differences, n² divisions, n additions.
    """
    del operand
    batch, n, _ = _sizes(record)
    return Work(macs=3 * batch * n**3, arithmetic=batch * (2 * n**2 + n))


@gradient_rule("_linalg_svd")
def svd_gradient(record: OpRecord, operand: int) -> Work:
    """Of m×n, k the smaller and l the larger: mk² + nk² MACs, k²n + mkn more if square, else 3lk² + mkn.

    Townsend 2016, "Differentiating the singular value decomposition"
    (https://j-towns.github.io/papers/svd-derivative.pdf). Inside,
    ``(skew(Uᵀ·U')·S + S·skew(Vᵀ·V'))/E + diag S'`` with ``E = S_j² - S_i²`` takes 7k² + 2k arithmetic.
    U and Vᵀ stand around it; the longer of them has a part of its gradient outside its own
    span, ``(I - U·Uᵀ)·U'·S⁻¹``: two more products, a division, a sum and a difference.
    """
    del operand
    batch, m, n = _sizes(record)
    k, longer = min(m, n), max(m, n)
    outside = m != n
    around = 3 * longer * k**2 if outside else k**2 * n
    macs = (m + n) * k**2 + around + m * k * n
    arithmetic = 7 * k**2 + 2 * k + (3 * longer * k if outside else 0)
    return Work(macs=batch * macs, arithmetic=batch * arithmetic)
