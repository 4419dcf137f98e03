"""Factorisations and solutions of linear systems whose count follows from the size; traces, cross products.

Counts of real multiplications, divisions and additions are LAPACK's own: LAPACK Working
Note 41, "Installation Guide for LAPACK" (Blackford & Dongarra 1999), appendix C. They are
arithmetic, not multiply-accumulates, which only matrix products are. On complex numbers a
multiplication counts 6 real operations and an addition 2, as LAPACK counts its complex routines.

What depends on the values has no rule, and is listed as uncounted: eigenvalues and singular values iterate
until they converge (and with them the pseudoinverse, ranks, conditions and 2-norms of matrices); the
exponential of a matrix takes as many squarings as its norm asks for; least squares use one of four routines,
of which those that find a rank iterate.

Each gradient is written as torch's own backward pass writes it (torch/csrc/autograd/FunctionsManual.cpp),
after Giles 2008, "Collected matrix derivative results for forward and reverse mode algorithmic
differentiation" (https://people.maths.ox.ac.uk/gilesm/files/AD2008.pdf), section 2. Matrix products are
multiply-accumulates; solving with the factors of the forward pass is arithmetic, counted as there. Each of
several outputs is assumed to have a gradient, as every tensor is that no other op uses.

An eigenvalue or singular value decomposition has a gradient of known size, though the
forward pass, which iterates, has not.

Torch's functions are made of these ops. In inference mode torch does not decompose them: there the aten op is
the function itself, and is read as the op that does its work.
"""

from math import prod

from resflops.ops._attributes import Attributes
from resflops.ops._complex import SUMS
from resflops.ops._declaration import Needed, each_gradient, joint_gradient, moved_gradient, op
from resflops.ops._lapack import (
    complex_work,
    form_q_additions,
    form_q_work,
    householder_additions,
    householder_work,
    lu_additions,
    lu_work,
    solve_by_lu_work,
    solve_triangular_work,
)
from resflops.records import OpRecord, Work

FAMILY = "linalg"

_MATRIX, _SIDES = 0, 1


class QR(Attributes, frozen=True):
    """A QR factorisation."""

    mode: str
    """``reduced``, ``complete``, or ``r``, for which no Q is formed."""


def _read_sizes(record: OpRecord, operand: int = _MATRIX) -> tuple[int, int, int]:
    """Read how many matrices an operand holds, and their rows and columns."""
    shape = record.input_shapes[operand]
    return prod(shape[:-2]), shape[-2], shape[-1]


def _count_sides(record: OpRecord, n: int) -> int:
    """Count the right-hand sides of all systems together."""
    return prod(record.output_shape) // n if n else 0


def _read_batch_and_size(record: OpRecord) -> tuple[int, int]:
    shape = record.input_shapes[0]
    return prod(shape[:-2]), shape[-1]


def lu(record: OpRecord) -> Work:
    """2n³/3 - n²/2 + 5n/6 operations per n×n matrix (GETRF); mn² - n³/3 - n²/2 + 5n/6 if m×n, m > n."""
    shape = record.input_shapes[0]
    batch, n = prod(shape[:-2]), min(shape[-2:])
    return Work(arithmetic=batch * lu_work(n, max(shape[-2:])))


def complex_lu(record: OpRecord) -> Work:
    """The same routine on complex numbers: 6 operations for a multiplication, 2 for an addition."""
    shape = record.input_shapes[0]
    batch, n, m = prod(shape[:-2]), min(shape[-2:]), max(shape[-2:])
    return Work(arithmetic=batch * complex_work(lu_work(n, m), lu_additions(n, m)))


def lu_gradient(record: OpRecord, needed: Needed) -> tuple[Work, ...] | None:
    """2n³ MACs per square matrix, and 2n systems with a triangle solved; no rule for other matrices.

    ``A' = P·L⁻ᵀ·(tril(Lᵀ·L', -1) + triu(U'·Uᵀ))·U⁻ᵀ``; the two parts lie beside each
    other, and P moves rows.
    """
    del needed
    batch, m, n = _read_sizes(record)
    if m != n:
        return None
    return (Work(macs=2 * batch * n**3, arithmetic=2 * batch * solve_triangular_work(n, sides=n)),)


for _name, _aten in (("linalg_lu_factor_ex", ("linalg_lu_factor",)), ("linalg_lu", ())):
    op(
        _name,
        family=FAMILY,
        aten=_aten,
        work=lu,
        on_complex=complex_lu,
        gradient=joint_gradient(lu_gradient, takes=(_MATRIX,)),
        saves=("output",),
    )


def log_determinant(record: OpRecord) -> Work:
    """A factorisation (GETRF), and a logarithm for each element of the diagonal."""
    batch, n = _read_batch_and_size(record)
    return Work(arithmetic=lu(record).arithmetic, transcendental=batch * n)


def determinant(record: OpRecord) -> Work:
    """A factorisation (GETRF), and n - 1 multiplications of its diagonal."""
    batch, n = _read_batch_and_size(record)
    return Work(arithmetic=batch * (lu_work(n) + max(n - 1, 0)))


def complex_determinant(record: OpRecord) -> Work:
    """A factorisation of complex numbers, and n - 1 multiplications of 6 operations."""
    batch, n = _read_batch_and_size(record)
    return Work(arithmetic=complex_lu(record).arithmetic + 6 * batch * max(n - 1, 0))


def determinant_gradient(record: OpRecord, operand: int) -> Work:
    """``A⁻ᵀ``, scaled: n systems solved by the factors at hand, and for the determinant a product with it.

    ``A' = det'·det·A⁻ᵀ``; of the logarithm ``A' = log'·A⁻ᵀ``.
    """
    del operand
    batch, n, _ = _read_sizes(record)
    scale = batch if record.op == "_linalg_det" else 0
    return Work(arithmetic=batch * solve_by_lu_work(n, sides=n) + scale)


DETERMINANT = op(
    "_linalg_det",
    family=FAMILY,
    aten=("linalg_det", "det"),
    work=determinant,
    on_complex=complex_determinant,
    gradient=each_gradient(determinant_gradient),
)

LOG_DETERMINANT = op(
    "_linalg_slogdet",
    family=FAMILY,
    aten=("linalg_slogdet", "slogdet"),
    work=log_determinant,
    gradient=each_gradient(determinant_gradient),
)


def inverse(record: OpRecord) -> Work:
    """A factorisation (GETRF), and 4n³/3 - n² + 5n/3 operations to invert it (GETRI)."""
    batch, n = _read_batch_and_size(record)
    return Work(arithmetic=batch * (lu_work(n) + (4 * n**3 - 3 * n**2 + 5 * n) // 3))


def complex_inverse(record: OpRecord) -> Work:
    """Both routines on complex numbers; of the second's operations 2n³/3 - 3n²/2 + 5n/6 are additions."""
    batch, n = _read_batch_and_size(record)
    inverting = complex_work((4 * n**3 - 3 * n**2 + 5 * n) // 3, (4 * n**3 - 9 * n**2 + 5 * n) // 6)
    return Work(arithmetic=complex_lu(record).arithmetic + batch * inverting)


def inverse_gradient(record: OpRecord, operand: int) -> Work:
    """2n³ MACs per matrix, and n² negations: ``A' = -Y·Y'·Y`` of the inverse Y, transposed."""
    del operand
    batch, n, _ = _read_sizes(record)
    return Work(macs=2 * batch * n**3, arithmetic=batch * n**2)


INVERSE = op(
    "linalg_inv_ex",
    family=FAMILY,
    aten=("linalg_inv", "inverse"),
    work=inverse,
    on_complex=complex_inverse,
    gradient=each_gradient(inverse_gradient),
    saves=("output",),
)


def _solution_gradients(
    needed: Needed, solved: int, of_matrix: Work, *, matrix: int = _MATRIX
) -> tuple[Work, ...]:
    """Add the gradient of the sides, which that of the matrix needs as well, to the first that is needed."""
    works = []
    for place, operand in enumerate(needed):
        own = of_matrix if operand == matrix else Work()
        first = solved if place == 0 else 0
        works.append(Work(macs=own.macs, arithmetic=own.arithmetic + first))
    return tuple(works)


def solve(record: OpRecord) -> Work:
    """A factorisation (GETRF), and 2n² - n operations for each right-hand side (GETRS)."""
    batch, n = _read_batch_and_size(record)
    sides = prod(record.output_shape) // n if n else 0
    return Work(arithmetic=batch * lu_work(n) + solve_by_lu_work(n, sides=sides))


def complex_solve_by_lu(record: OpRecord) -> Work:
    """The same routine on complex numbers; n² - n of each right-hand side's operations are additions."""
    _, n = _read_batch_and_size(record)
    sides = _count_sides(record, n)
    return Work(arithmetic=complex_work(solve_by_lu_work(n, sides=sides), sides * (n**2 - n)))


def complex_solve(record: OpRecord) -> Work:
    """Both routines on complex numbers."""
    batch, n = _read_batch_and_size(record)
    factors = batch * complex_work(lu_work(n), lu_additions(n))
    return Work(arithmetic=factors + complex_solve_by_lu(record).arithmetic)


def solve_gradient(record: OpRecord, needed: Needed) -> tuple[Work, ...]:
    """Sides: one more solution by the factors at hand; matrix: n² MACs per side, and n² negations.

    ``X = A⁻¹·B`` gives ``B' = A⁻ᵀ·X'`` and ``A' = -B'·Xᵀ``. B' stands with the first that is needed.
    """
    batch, n, _ = _read_sizes(record)
    sides = _count_sides(record, n)
    return _solution_gradients(
        needed, solve_by_lu_work(n, sides=sides), Work(macs=sides * n**2, arithmetic=batch * n**2)
    )


SOLVE = op(
    "_linalg_solve_ex",
    family=FAMILY,
    aten=("linalg_solve", "linalg_solve_ex"),
    work=solve,
    on_complex=complex_solve,
    gradient=joint_gradient(solve_gradient, takes=(_MATRIX, _SIDES)),
)


def solve_by_lu(record: OpRecord) -> Work:
    """2n² - n arithmetic operations for each right-hand side (GETRS)."""
    _, n = _read_batch_and_size(record)
    return Work(arithmetic=solve_by_lu_work(n, sides=prod(record.output_shape) // n if n else 0))


SOLVE_BY_LU = op("linalg_lu_solve", family=FAMILY, work=solve_by_lu, on_complex=complex_solve_by_lu)


def find_triangle(record: OpRecord) -> int:
    """Find the input that is the triangle: the older function takes the right-hand sides first."""
    return 1 if record.op == "triangular_solve" else 0


def solve_triangular(record: OpRecord) -> Work:
    """n² operations for each right-hand side (TRTRS)."""
    n = record.input_shapes[find_triangle(record)][-1]
    return Work(arithmetic=solve_triangular_work(n, sides=prod(record.output_shape) // n if n else 0))


def complex_solve_triangular(record: OpRecord) -> Work:
    """The same routine on complex numbers; (n² - n)/2 of each right-hand side's operations are additions."""
    n = record.input_shapes[find_triangle(record)][-1]
    sides = _count_sides(record, n)
    return Work(arithmetic=complex_work(solve_triangular_work(n, sides=sides), sides * (n**2 - n) // 2))


def solve_triangular_gradient(record: OpRecord, needed: Needed) -> tuple[Work, ...]:
    """As for any solution; the part outside the triangle is computed and dropped."""
    matrix = find_triangle(record)
    batch, n, _ = _read_sizes(record, matrix)
    of_matrix = Work(macs=prod(record.output_shape) * n, arithmetic=batch * n**2)
    solved = solve_triangular_work(n, sides=_count_sides(record, n))
    return _solution_gradients(needed, solved, of_matrix, matrix=matrix)


for _name in ("linalg_solve_triangular", "triangular_solve"):
    op(
        _name,
        family=FAMILY,
        work=solve_triangular,
        on_complex=complex_solve_triangular,
        gradient=joint_gradient(solve_triangular_gradient, takes=(_MATRIX, _SIDES)),
        saves=("input", "output"),
    )


def cholesky(record: OpRecord) -> Work:
    """n³/3 + n²/2 + n/6 arithmetic operations per matrix (POTRF), n of them roots."""
    batch, n = _read_batch_and_size(record)
    return Work(arithmetic=batch * ((2 * n**3 + 3 * n**2 + n) // 6 - n), transcendental=batch * n)


def complex_cholesky(record: OpRecord) -> Work:
    """The same routine on complex numbers: n³/6 - n/6 operations are additions, and the n roots are real."""
    batch, n = _read_batch_and_size(record)
    operations = (2 * n**3 + 3 * n**2 + n) // 6 - n
    return Work(arithmetic=batch * complex_work(operations, (n**3 - n) // 6), transcendental=batch * n)


def cholesky_gradient(record: OpRecord, operand: int) -> Work:
    """n³ MACs per matrix, 2n systems with a triangle solved, and n² halvings.

    ``A' = L⁻ᵀ·½(P + Pᵀ - diag P)·L⁻¹`` with ``P = tril(Lᵀ·L')``; the sum puts each element twice, and
    adds none.
    """
    del operand
    batch, n, _ = _read_sizes(record)
    return Work(macs=batch * n**3, arithmetic=batch * (2 * solve_triangular_work(n, sides=n) + n**2))


CHOLESKY = op(
    "linalg_cholesky_ex",
    family=FAMILY,
    aten=("linalg_cholesky",),
    work=cholesky,
    on_complex=complex_cholesky,
    gradient=each_gradient(cholesky_gradient),
    saves=("output",),
)


def solve_by_cholesky(record: OpRecord) -> Work:
    """2n² arithmetic operations for each right-hand side (POTRS)."""
    n = record.input_shapes[1][-1]
    return Work(arithmetic=2 * solve_triangular_work(n, sides=prod(record.output_shape) // n if n else 0))


def cholesky_solve_gradient(record: OpRecord, needed: Needed) -> tuple[Work, ...]:
    """Sides: as forward; factor L: n² MACs per side and n³ per matrix, 2n² arithmetic.

    ``X = (L·Lᵀ)⁻¹·B`` gives B' by the same solution of X', and ``L' = -(B'·Xᵀ + X·B'ᵀ)·L``.
    """
    batch, n, _ = _read_sizes(record, 1)
    sides = _count_sides(record, n)
    of_factor = Work(macs=sides * n**2 + batch * n**3, arithmetic=2 * batch * n**2)
    return _solution_gradients(needed, 2 * solve_triangular_work(n, sides=sides), of_factor, matrix=1)


SOLVE_BY_CHOLESKY = op(
    "cholesky_solve",
    family=FAMILY,
    work=solve_by_cholesky,
    gradient=joint_gradient(cholesky_solve_gradient, takes=(0, 1)),
    saves=("input", "other", "output"),
)


def inverse_by_cholesky(record: OpRecord) -> Work:
    """2n³/3 + n²/2 + 5n/6 arithmetic operations per matrix (POTRI)."""
    batch, n = _read_batch_and_size(record)
    return Work(arithmetic=batch * (4 * n**3 + 3 * n**2 + 5 * n) // 6)


def cholesky_inverse_gradient(record: OpRecord, operand: int) -> Work:
    """3n³ MACs per matrix, 2n² arithmetic: ``L' = -Y·(Y' + Y'ᵀ)·Y·L`` of the inverse Y."""
    del operand
    batch, n, _ = _read_sizes(record)
    return Work(macs=3 * batch * n**3, arithmetic=2 * batch * n**2)


INVERSE_BY_CHOLESKY = op(
    "cholesky_inverse",
    family=FAMILY,
    work=inverse_by_cholesky,
    gradient=each_gradient(cholesky_inverse_gradient),
    saves=("input", "output"),
)


def qr(record: OpRecord, attributes: QR) -> Work:
    """Per m×n matrix Householder reflections (GEQRF), and the requested columns of Q (ORGQR).

    With mode ``r`` no Q is formed.
    """
    shape = record.input_shapes[0]
    batch, m, n = prod(shape[:-2]), shape[-2], shape[-1]
    columns = record.output_shape[-1] if attributes.mode != "r" else 0
    return Work(arithmetic=batch * (householder_work(m, n) + form_q_work(m, columns, min(m, n))))


def complex_qr(record: OpRecord, attributes: QR) -> Work:
    """The same routines on complex numbers: 6 operations for a multiplication, 2 for an addition."""
    batch, m, n = _read_sizes(record)
    columns = record.output_shape[-1] if attributes.mode != "r" else 0
    additions = householder_additions(m, n) + form_q_additions(m, columns, min(m, n))
    return Work(arithmetic=complex_work(qr(record, attributes).arithmetic, batch * additions))


def qr_gradient(record: OpRecord, attributes: QR, needed: Needed) -> tuple[Work, ...] | None:
    """For m×n with m ≥ n: n³ + 2mn² MACs, mn² + mn + 2n² + n arithmetic; no rule for wide matrices.

    ``A' = (Q' + Q·S)·R⁻ᵀ`` with ``S = M + Mᵀ``, its diagonal halved, of ``M = triu(R'·Rᵀ - Qᵀ·Q')``: a
    difference and a sum of n², n halvings, a sum of mn, and m systems with a triangle solved.
    """
    del attributes, needed
    batch, m, n = _read_sizes(record)
    if m < n:
        return None
    arithmetic = 2 * n**2 + n + m * n + solve_triangular_work(n, sides=m)
    return (Work(macs=batch * (n**3 + 2 * m * n**2), arithmetic=batch * arithmetic),)


QR_FACTORS = op(
    "linalg_qr",
    family=FAMILY,
    attributes=QR,
    work=qr,
    on_complex=complex_qr,
    gradient=joint_gradient(qr_gradient, takes=(_MATRIX,)),
    saves=("output",),
)


def eigh_gradient(record: OpRecord, operand: int) -> Work:
    """3n³ MACs per matrix, and 2n² + n arithmetic.

    ``A' = V·(diag λ' + (Vᵀ·V')/E)·Vᵀ`` with ``E = λ_j - λ_i``: n² differences, n² divisions, n additions.
    """
    del operand
    batch, n, _ = _read_sizes(record)
    return Work(macs=3 * batch * n**3, arithmetic=batch * (2 * n**2 + n))


EIGENVALUES = op(
    "_linalg_eigh",
    family=FAMILY,
    aten=("linalg_eigh",),
    gradient=each_gradient(eigh_gradient),
    saves=("output",),
)


def svd_gradient(record: OpRecord, operand: int) -> Work:
    """For m×n, k the smaller and l the larger: mk² + nk² MACs, k²n + mkn more if square, else 3lk² + mkn.

    Townsend 2016, "Differentiating the singular value decomposition"
    (https://j-towns.github.io/papers/svd-derivative.pdf). Inside,
    ``(skew(Uᵀ·U')·S + S·skew(Vᵀ·V'))/E + diag S'`` with ``E = S_j² - S_i²`` takes 7k² + 2k arithmetic.
    U and Vᵀ stand around it; the longer of them has a part of its gradient outside its own
    span, ``(I - U·Uᵀ)·U'·S⁻¹``: two more products, a division, a sum and a difference.
    """
    del operand
    batch, m, n = _read_sizes(record)
    k, longer = min(m, n), max(m, n)
    outside = m != n
    around = 3 * longer * k**2 if outside else k**2 * n
    macs = (m + n) * k**2 + around + m * k * n
    arithmetic = 7 * k**2 + 2 * k + (3 * longer * k if outside else 0)
    return Work(macs=batch * macs, arithmetic=batch * arithmetic)


SINGULAR_VALUES = op(
    "_linalg_svd",
    family=FAMILY,
    aten=("linalg_svd",),
    gradient=each_gradient(svd_gradient),
    saves=("output",),
)


def cross(record: OpRecord) -> Work:
    """Per element two multiplications and a subtraction."""
    return Work(arithmetic=3 * prod(record.output_shape))


def complex_cross(record: OpRecord) -> Work:
    """Per element two multiplications of complex numbers, 6 operations each, and a subtraction, 2."""
    return Work(arithmetic=14 * prod(record.output_shape))


def cross_gradient(record: OpRecord, operand: int) -> Work:
    """Per element 3 arithmetic: another cross product for each factor."""
    del operand
    return Work(arithmetic=3 * prod(record.output_shape))


CROSS = op(
    "linalg_cross",
    family=FAMILY,
    aten=("cross",),
    work=cross,
    on_complex=complex_cross,
    gradient=each_gradient(cross_gradient),
    saves=("input", "other"),
)


def matrix_trace(record: OpRecord) -> Work:
    """An addition per element of the diagonal."""
    return Work(arithmetic=min(record.input_shapes[0]))


# A sum hands its gradient to every element of the diagonal.
TRACE = op("trace", family=FAMILY, work=matrix_trace, on_complex=SUMS, gradient=moved_gradient(), saves=())
