"""What an op is, told once: :func:`op` declares one, and everything that asks about it reads :data:`OPS`.

A declaration says which torch functions and aten ops it is called by and what shapes come out
(the tracer binds both levels to the same function of the arguments), what work it is and what
its gradients take, and the facts by which layers, receptive fields, non-zero counts, other counters'
causes and the gate tell it from others. Users' :func:`rule` and :func:`gradient_rule` make
declarations of the same kind.

Three things hold for every gradient:

- It is counted as the chain rule writes it, from what the forward pass has at hand
  anyway: the op's inputs, its output, the statistics of a normalisation, the weights of a
  softmax. What a kernel recomputes to save memory (a fused attention its scores, activation
  checkpointing the whole forward) is not counted.
- Where the forward pass spreads one element over several (a broadcast, a bias, a row of an
  embedding), the backward pass adds several up: one addition each.
- What the values decide is counted as in the forward pass: every mask and every zero is
  multiplied.
"""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Literal, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from resflops.errors import DuplicateError, UsageError
from resflops.extensions import declaring
from resflops.ops._attributes import Attributes, read_attributes, read_before
from resflops.ops._call import Call, SignedCall
from resflops.records import OpRecord, Shape, Work

__all__ = [
    "ALL_BUT_FIRST",
    "CLASSES",
    "COMPOSITES",
    "OPS",
    "AtenBinding",
    "Binding",
    "Factors",
    "Gradient",
    "Needed",
    "Op",
    "Window",
    "binding",
    "composite",
    "each_gradient",
    "gradient_rule",
    "is_free",
    "is_of_family",
    "joint_gradient",
    "joint_gradient_rule",
    "moved_gradient",
    "name_op",
    "op",
    "rule",
    "stopped_gradient",
]

Factors = tuple[Shape, Shape]
"""How multiply-accumulates arise: points of the output, and multiply-accumulates at each point,
both as factors, such as ``((56, 56, 64), (3, 3, 64))`` for 56·56·64·(3·3·64)."""

Needed = tuple[int, ...]
"""The operands of an op that need a gradient, in order: the places of its inputs, and after
the last input those of the weight and the bias that are not among them."""

WorkFunction = Callable[[OpRecord], Work]
OperandFunction = Callable[[OpRecord, int], Work]
JointFunction = Callable[[OpRecord, Needed], tuple[Work, ...] | None]
SomeRule = TypeVar("SomeRule", bound=WorkFunction)
SomeOperandFunction = TypeVar("SomeOperandFunction", bound=OperandFunction)
SomeJointFunction = TypeVar("SomeJointFunction", bound=JointFunction)

Window = Literal["", "keeps", "slides", "gathers", "flattens", "slices", "breaks"]
"""What an op does to receptive fields. ``keeps`` every position, whatever its shapes; ``slides`` a kernel;
``gathers`` positions into fewer or one; ``flattens`` all into a vector; ``slices`` out some; ``breaks`` the
notion. ``""``: keeps positions where the spatial shape stays, else breaks."""

AllButFirst = Literal["all but the first"]
ALL_BUT_FIRST: AllButFirst = "all but the first"
"""The weights of an op that has a varying number of them behind its input."""

AtenBinding = Mapping[str, str] | Callable[[dict[str, Any]], Call | SignedCall] | None
"""How an aten op is read: what its schema calls the parameters of ``infer`` that have another name there; or
a function of its arguments by name; or None, by which its tensors are the inputs and its plain
arguments the attributes."""


class Binding(Struct, frozen=True, kw_only=True):
    """Torch functions of one signature, and what a call of them is."""

    functions: tuple[str, ...]
    """Dotted, below ``torch``: ``nn.functional.relu``, ``Tensor.add_``; ``*.relu`` is all of that name."""
    infer: Callable[..., Any]
    """Has the signature of the functions and gives a Call, a Formed, or a generator of several."""
    repeated: bool = False
    """Whether equal arguments make equal calls, a tensor being its shape and type."""


class Gradient(Struct, frozen=True, kw_only=True):
    """What the gradients for an op's operands take."""

    work: JointFunction | None = None
    """From the record and the operands that need one, the work for each of them; None if it has no
    rule for this use of the op. Without a function the gradient is moved back, which takes nothing."""
    takes: frozenset[int] | None = None
    """The operands that can have a gradient at all; None is every one."""
    stops: str = ""
    """Why no gradient passes the op; ``""`` where one does."""
    summary: str = ""
    each: OperandFunction | None = None
    """The function of a single operand that ``work`` was made of."""


class Op(Struct, frozen=True, kw_only=True):
    """An operator: what torch calls it, what it does, and what it costs."""

    name: str
    family: str = ""
    """The kind of work, as the modules of ``resflops.ops`` are named; ``""`` for an op of a user's."""
    origin: str = "resflops"
    """The distribution or module that declares it."""
    attributes: type[Attributes] | None = None
    """What its cost depends on beside its shapes."""
    bindings: tuple[Binding, ...] = ()
    """The torch functions that are this op."""
    whole: tuple[str, ...] = ()
    """Torch functions that run as they are, on tensors without memory, and are recorded as this op."""
    factories: tuple[str, ...] = ()
    """The same, for those that make a tensor out of nothing."""
    aten: Mapping[str, AtenBinding] = {}
    """The aten ops that are this op, beside one of its own name; another library's are ``library.name``."""
    free: str = ""
    """Why it does no arithmetic; ``""`` where it does."""
    work: WorkFunction | None = None
    """What it does. Neither free nor with a function of its work, it is reported as uncounted."""
    summary: str = ""
    """What it counts, in one line; the per-op table of ``resflops ops`` is made of these."""
    factors: Callable[[OpRecord], Factors] | None = None
    """For an op with multiply-accumulates: the factors that the formula column shows."""
    gradient: Gradient | None = None
    """None where nothing is known of it."""
    window: Window = ""
    weights: tuple[int, ...] | AllButFirst = ()
    """The inputs that may be weights of which every element is applied equally often."""
    saves: tuple[str, ...] | None = None
    """What autograd keeps for the backward pass: ``input``, ``weight``, ``output``, ``statistics``, …
    None where that depends on how the op is called, as the exponent of a power decides it."""
    shares: Literal["", "always", "sometimes"] = ""
    """Whether the output lies in its first input's memory."""
    cause: str = ""
    """The family that the referee counts it to, where that is not its own: a mean is a division of sums."""

    @property
    def counted(self) -> bool:
        """Whether its work is known, be it none."""
        return self.work is not None or bool(self.free)


OPS: dict[str, Op] = {}
"""Op name to its declaration."""

COMPOSITES: dict[tuple[str, ...], Binding] = {}
"""Torch functions that are several ops: their ``infer`` is a generator of calls."""

CLASSES: dict[type, str] = {}
"""Module types and autograd Functions that have a rule, with the name that a call is recorded under."""


def is_free(name: str) -> bool:
    """Whether an op is declared to do no arithmetic."""
    known = OPS.get(name)
    return known is not None and bool(known.free)


def is_of_family(name: str, family: str) -> bool:
    """Whether an op is declared to be of a family."""
    known = OPS.get(name)
    return known is not None and known.family == family


def op(
    name: str,
    *,
    family: str,
    attributes: type[Attributes] | None = None,
    bindings: tuple[Binding, ...] | Binding = (),
    whole: tuple[str, ...] = (),
    factories: tuple[str, ...] = (),
    aten: Mapping[str, AtenBinding] | tuple[str, ...] = (),
    free: str = "",
    work: Callable[..., Work] | None = None,
    summary: str = "",
    factors: Callable[..., Factors] | None = None,
    gradient: Gradient | None = None,
    window: Window = "",
    weights: tuple[int, ...] | AllButFirst = (),
    saves: tuple[str, ...] | None = None,
    shares: Literal["", "always", "sometimes"] = "",
    cause: str = "",
) -> Op:
    """Declare an op. With ``attributes``, the functions take them after the record.

    They are ``work(record, attributes)``, ``factors(record, attributes)``, and in ``gradient`` functions of
    ``(record, attributes, operand)`` or ``(record, attributes, needed)``; without, the same but for them.

    Raises:
        DuplicateError: an op of that name is declared already.
    """
    if name in OPS:
        raise DuplicateError(f"op {name!r} is declared already; declare each op once")
    declared = Op(
        name=name,
        family=family,
        origin=declaring(),
        attributes=attributes,
        bindings=(bindings,) if isinstance(bindings, Binding) else bindings,
        whole=whole,
        factories=factories,
        aten=dict.fromkeys(aten) if isinstance(aten, tuple) else aten,
        free=free,
        work=None if work is None else _reading_work(work, attributes),
        summary=summary or _first_line(work),
        factors=None if factors is None else _reading(factors, attributes),
        gradient=gradient and _reading_gradient(gradient, attributes),
        window=window,
        weights=weights,
        saves=saves,
        shares=shares,
        cause=cause,
    )
    OPS[name] = declared
    return declared


def binding(infer: Callable[..., Any], *functions: str, repeated: bool = False) -> Binding:
    """Say of torch functions what a call of them is."""
    return Binding(functions=functions, infer=infer, repeated=repeated)


def composite(*functions: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare torch functions that are several ops, by a generator of their calls.

    It yields the calls one by one, is sent what each gives, and returns what the function returns.
    The calls are those that the ops' own ``infer`` makes, so nothing is said twice.
    """

    def register(steps: Callable[..., Any]) -> Callable[..., Any]:
        COMPOSITES[functions] = Binding(functions=functions, infer=steps)
        return steps

    return register


def each_gradient(
    function: Callable[..., Work], *, takes: tuple[int, ...] | None = None, summary: str = ""
) -> Gradient:
    """Gradients that are worked out by themselves, by a function of one operand."""
    return Gradient(
        each=function, takes=_set(takes), summary=summary or _first_line(function), work=_joined(function)
    )


def joint_gradient(
    function: Callable[..., tuple[Work, ...] | None],
    *,
    takes: tuple[int, ...] | None = None,
    summary: str = "",
) -> Gradient:
    """Gradients that share work, by a function of all operands that need one.

    Shared work is to stand with the first gradient that it is for.
    """
    return Gradient(work=function, takes=_set(takes), summary=summary or _first_line(function))


def moved_gradient(takes: tuple[int, ...] | None = None) -> Gradient:
    """The gradient is put back in its place without arithmetic."""
    return Gradient(takes=_set(takes))


def stopped_gradient(reason: str) -> Gradient:
    """No gradient passes."""
    return Gradient(stops=reason, takes=frozenset())


def rule(
    *ops: str | type, summary: str = "", factors: Callable[[OpRecord], Factors] | None = None
) -> Callable[[SomeRule], SomeRule]:
    """Register a function as the rule of one or more ops.

    A rule for a class makes each call of its ``forward`` one op, by the qualified name of the
    class: what runs inside is not counted besides. Subclasses that have no ``forward`` of
    their own are such calls too. The record's inputs are the tensors that the call takes,
    then a module's parameters; its attributes are the call's other arguments, a module's
    attributes that are numbers, words or flags, and the shapes of its parameters by name.

    Args:
        ops: op names, such as ``conv2d``; a custom op's is ``namespace.name``. Or classes: of
            a ``torch.nn.Module`` or a ``torch.autograd.Function``. A trace that was stored
            knows a class by its name, ``package.module.Class``, which may be given as well.
        summary: one line for the per-op table; the docstring's first line if not given.
        factors: for ops with multiply-accumulates, their factors, for the formula column.

    Raises:
        DuplicateError: an op has a rule already or is listed as free.
        UsageError: a class that is neither a module type nor an autograd Function.
    """
    names = {name_op(each): each for each in ops}

    def register(function: SomeRule) -> SomeRule:
        for name, each in names.items():
            known = OPS.get(name)
            if known is not None and known.counted:
                raise DuplicateError(f"op {name!r} has a rule already; name each op once")
            OPS[name] = replace(
                known or Op(name=name, origin=function.__module__),
                work=function,
                factors=factors,
                summary=summary or _first_line(function),
            )
            if isinstance(each, type):
                CLASSES[each] = name
        return function

    return register


def gradient_rule(
    *ops: str | type, takes: tuple[int, ...] | None = None, summary: str = ""
) -> Callable[[SomeOperandFunction], SomeOperandFunction]:
    """Register a function of a record and an operand as the gradient rule of ops.

    The function is asked for the work of each gradient by itself: for input 0 and, if
    that needs one, for input 1.

    Args:
        ops: op names, such as ``conv2d``, or classes, as in :func:`resflops.rule`.
        takes: the operands that can have a gradient; all if not given.
        summary: one line on what it counts; the docstring's first line if not given.

    Raises:
        DuplicateError: an op has a gradient rule already.
    """

    def register(function: SomeOperandFunction) -> SomeOperandFunction:
        _add_gradient(ops, each_gradient(function, takes=takes, summary=summary), function.__module__)
        return function

    return register


def joint_gradient_rule(
    *ops: str | type, takes: tuple[int, ...] | None = None, summary: str = ""
) -> Callable[[SomeJointFunction], SomeJointFunction]:
    """Register a rule for ops whose gradients share work: it is given all operands that need one.

    Shared work is to stand with the first gradient that it is for.

    Raises:
        DuplicateError: an op has a gradient rule already.
    """

    def register(function: SomeJointFunction) -> SomeJointFunction:
        _add_gradient(ops, joint_gradient(function, takes=takes, summary=summary), function.__module__)
        return function

    return register


_CALLED = (("torch.nn.modules.module", "Module"), ("torch.autograd.function", "Function"))
"""The classes whose calls may have a rule; known by name, since rules never import torch."""


def name_op(each: str | type) -> str:
    """The name that an op, or a call of a class, is recorded under.

    Raises:
        UsageError: a class that is neither a module type nor an autograd Function.
    """
    if isinstance(each, str):
        return each
    bases = each.__mro__[1:] if isinstance(each, type) else ()
    if not any((base.__module__, base.__name__) in _CALLED for base in bases):
        raise UsageError(
            f"a rule was given for {each!r}; it takes an op's name, such as 'conv2d' or 'mylib.op', "
            "or a subclass of torch.nn.Module or torch.autograd.Function"
        )
    return f"{each.__module__}.{each.__qualname__}"


def _add_gradient(ops: tuple[str | type, ...], gradient: Gradient, origin: str) -> None:
    for name in map(name_op, ops):
        known = OPS.get(name) or Op(name=name, origin=origin)
        if known.gradient is not None:
            raise DuplicateError(f"op {name!r} has a gradient rule already; name each op once")
        OPS[name] = replace(known, gradient=gradient)


def _reading(function: Callable[..., Any], kind: type[Attributes] | None) -> Callable[..., Any]:
    """A function of a record, from one of the record and its attributes."""
    if kind is None:
        return function

    @wraps(function)
    def read(record: OpRecord, *rest: Any) -> Any:
        return function(record, read_attributes(record, kind), *rest)

    return read


def _reading_work(function: Callable[..., Work], kind: type[Attributes] | None) -> WorkFunction:
    """The same for an op's work, which a count asks for more often than for all else together."""
    if kind is None:
        return function
    before = read_before(kind)

    @wraps(function)
    def read(record: OpRecord) -> Work:
        given = record.attributes
        known = before.get(id(given))
        if known is not None and known[0] is given:
            return function(record, known[1])
        return function(record, read_attributes(record, kind))

    return read


def _reading_gradient(gradient: Gradient, kind: type[Attributes] | None) -> Gradient:
    if kind is None or gradient.work is None:
        return gradient
    if gradient.each is not None:
        each = _reading(gradient.each, kind)
        return replace(gradient, each=each, work=_joined(each))
    return replace(gradient, work=_reading(gradient.work, kind))


def _joined(function: OperandFunction) -> JointFunction:
    def each(record: OpRecord, needed: Needed) -> tuple[Work, ...]:
        return tuple([function(record, operand) for operand in needed])

    return each


def _set(takes: tuple[int, ...] | None) -> frozenset[int] | None:
    return None if takes is None else frozenset(takes)


def _first_line(function: Callable[..., object] | None) -> str:
    return (getattr(function, "__doc__", None) or "").strip().partition("\n")[0]
