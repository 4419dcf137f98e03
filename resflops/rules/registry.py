"""Where the rules that stand here are declared until they stand in ``resflops.ops``."""

from resflops.errors import DuplicateError
from resflops.ops import CLASSES, OPS, Factors, Op, name_op, rule

__all__ = ["CLASSES", "Factors", "free", "op_name", "rule"]

op_name = name_op


def free(reason: str, *ops: str) -> None:
    """List ops that do no arithmetic, with the reason.

    Raises:
        DuplicateError: an op has a rule already or is listed as free.
    """
    for op in ops:
        known = OPS.get(op)
        if known is not None and known.counted:
            raise DuplicateError(f"op {op!r} has a rule already; name each op once")
        OPS[op] = Op(name=op, free=reason, gradient=known.gradient if known else None)
