"""What an op is, declared once: :func:`op` declares one, and all code that asks about it reads :data:`OPS`.

A declaration names the torch functions and aten ops that call the op and the shapes that it
returns (the tracer binds both levels to the same function of the arguments), counts its work and
that of its gradients, and states the facts by which layers, receptive fields, non-zero counts, other
counters' causes and the gate distinguish it from others. The :func:`rule` and
:func:`gradient_rule` of users make declarations of the same kind.

Three things hold for every gradient:

- It is counted as the chain rule writes it, from tensors that the forward pass computes
  anyway: the op's inputs, its output, the statistics of a normalisation, the weights of a
  softmax. What a kernel recomputes to save memory is not counted, such as the scores of a
  fused attention, or the whole forward pass under activation checkpointing.
- Where the forward pass spreads one element over several (a broadcast, a bias, a row of an
  embedding), the backward pass adds several up, with one addition for each.
- Work that depends on values is counted as in the forward pass: every mask and every zero is
  multiplied.
"""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Literal, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from resflops.errors import DuplicateError, UsageError
from resflops.extensions import find_origin
from resflops.ops._attributes import Attributes, find_cache, read_attributes
from resflops.ops._call import Call, SignedCall
from resflops.ops._complex import SUMS, multiply, multiply_work
from resflops.records import OpRecord, Shape, Work

__all__ = [
    "ALL_BUT_FIRST",
    "ANSWERS",
    "CLASSES",
    "COMPOSITES",
    "KERNELS",
    "OPS",
    "QUANTISED",
    "WHOLE_NUMBERS",
    "AtenBinding",
    "Binding",
    "Factors",
    "Gradient",
    "Needed",
    "Op",
    "Shares",
    "Window",
    "binding",
    "composite",
    "each_gradient",
    "gradient_rule",
    "is_free",
    "is_of_family",
    "joint_gradient",
    "joint_gradient_rule",
    "kernel",
    "moved_gradient",
    "name_op",
    "op",
    "rule",
    "stopped_gradient",
]

Factors = tuple[Shape, Shape]
"""How multiply-accumulates arise: the points of the output, and the multiply-accumulates at each
point, both as factors, such as ``((56, 56, 64), (3, 3, 64))`` for 56·56·64·(3·3·64)."""

Needed = tuple[int, ...]
"""The operands of an op that need a gradient, in order. An input is numbered by its position; the
weight and the bias that are not among the inputs have the numbers after the last one."""

WorkFunction = Callable[[OpRecord], Work]
OperandFunction = Callable[[OpRecord, int], Work]
JointFunction = Callable[[OpRecord, Needed], tuple[Work, ...] | None]
SomeRule = TypeVar("SomeRule", bound=WorkFunction)
SomeOperandFunction = TypeVar("SomeOperandFunction", bound=OperandFunction)
SomeJointFunction = TypeVar("SomeJointFunction", bound=JointFunction)

Window = Literal["", "keeps", "slides", "gathers", "flattens", "slices", "spans", "breaks"]
"""What an op does to receptive fields. It ``keeps`` every position, whatever its shapes; ``slides`` a kernel;
``gathers`` positions into fewer or one; ``flattens`` all into a vector; ``slices`` some out; ``spans`` all of
them for every position, as statistics of a whole map do; or ``breaks`` the field, so that its output has
none. ``""`` keeps positions if the spatial shape stays, else breaks."""

Shares = Literal["", "always", "sometimes", "each"]
"""Whether the outputs of an op are views of its first input: never; always; ``sometimes``, as it is called
and as the elements lie; or ``each`` is a view of the input in its place."""

AllButFirst = Literal["all but the first"]
ALL_BUT_FIRST: AllButFirst = "all but the first"
"""The weights of an op that has a varying number of them after its first input."""

AtenBinding = Mapping[str, str] | Callable[[dict[str, Any]], Call | SignedCall] | None
"""How an aten op is read. A mapping gives the names that its schema has for parameters of ``infer``, where
they differ. A function takes its arguments by name. With None, its tensors are the inputs of the op and its
plain arguments the attributes."""


class Binding(Struct, frozen=True, kw_only=True):
    """Torch functions of one signature, and the function that says what a call of them is."""

    functions: tuple[str, ...]
    """Names below ``torch``: ``nn.functional.relu``, ``Tensor.add_``; ``*.relu`` is all of that name."""
    infer: Callable[..., Any]
    """It has the signature of the functions and returns a Call, a SignedCall, or a generator of several."""
    repeated: bool = False
    """Whether equal arguments make equal calls, where tensors of one shape and type are equal. The tracer
keeps the signatures of such calls and asks ``infer`` once for all of them."""


class Gradient(Struct, frozen=True, kw_only=True):
    """What the gradients of an op's operands cost."""

    work: JointFunction | None = None
    """It takes the record and the operands that need a gradient, and returns the work for each of them, or
    None if it has no rule for this use of the op. No function means that gradients are only moved."""
    takes: frozenset[int] | None = None
    """The operands that can have a gradient at all; None stands for every one."""
    on_complex: JointFunction | None = None
    """The same for complex numbers; none leaves their gradients uncounted."""
    stops: str = ""
    """Why no gradient passes the op; ``""`` if one does."""
    summary: str = ""
    """What it counts, in one line."""
    per_operand: OperandFunction | None = None
    """The function of a single operand that ``work`` was made from, if it was."""


class Op(Struct, frozen=True, kw_only=True):
    """An operator: what torch calls it, what it does, and what it costs."""

    name: str
    family: str = ""
    """The kind of work, by the module of ``resflops.ops`` that it belongs to; ``""`` for a user's own op."""
    origin: str = "resflops"
    """The distribution or module that declares it."""
    attributes: type[Attributes] | None = None
    """What its cost depends on beside its shapes; None if nothing."""
    bindings: tuple[Binding, ...] = ()
    """The torch functions that are this op."""
    whole: tuple[str, ...] = ()
    """Torch functions that torch runs itself, on tensors without memory, and that are recorded as this op."""
    factories: tuple[str, ...] = ()
    """Torch functions that run as they are, too, and make a tensor from no other tensor."""
    aten: Mapping[str, AtenBinding] = {}
    """The aten ops that are this op, beside that of its own name; another library's are ``library.name``."""
    free: str = ""
    """Why it does no arithmetic; ``""`` if it does."""
    work: WorkFunction | None = None
    """It counts the op's work. An op without it is reported as uncounted, unless it is free."""
    summary: str = ""
    """What ``work`` counts, in one line; the per-op table of ``resflops ops`` shows it."""
    factors: Callable[[OpRecord], Factors] | None = None
    """For an op with multiply-accumulates: the factors that the formula column shows."""
    on_complex: Callable[[OpRecord], Work | None] | None = None
    """It counts the op's work on complex numbers. An op without it, and one that it returns None for, is
    reported as uncounted there, unless it is free."""
    gradient: Gradient | None = None
    """What its gradients cost; None if that is not known."""
    window: Window = ""
    """What it does to receptive fields."""
    weights: tuple[int, ...] | AllButFirst = ()
    """The inputs that may be weights whose elements are all applied equally often."""
    saves: tuple[str, ...] | None = None
    """What autograd keeps for the backward pass: ``input``, ``weight``, ``output``, ``statistics``, …
    None where that depends on how the op is called, as the exponent of a power decides it."""
    shares: Shares = ""
    """Whether the outputs are views of the first input. An op in place shares its memory whatever it is."""
    gives_indices: bool = False
    """Whether its outputs after the first are indices, which have no gradient."""
    weightless_macs: Callable[[OpRecord], int] | None = None
    """The multiply-accumulates that no weight takes part in; None where the op has none."""
    cause: str = ""
    """The family that the cross-check attributes it to, if not its own: a mean is arithmetic there."""

    @property
    def counted(self) -> bool:
        """Whether its work is known, even if it is none."""
        return self.work is not None or bool(self.free)


# Reasons why no gradient passes that hold in several families.
ANSWERS = "its result does not change under small changes of the input"
WHOLE_NUMBERS = "it takes or returns only integers or booleans"
QUANTISED = "torch has no backward pass for quantised layers and products"

OPS: dict[str, Op] = {}
"""The declaration of every op, by its name."""

COMPOSITES: dict[tuple[str, ...], Binding] = {}
"""Torch functions that are several ops: their ``infer`` is a generator of calls."""

Reader = Callable[[dict[str, Any]], Call]

KERNELS: dict[tuple[str, str], Reader] = {}
"""What a call of another library's function is, read from its arguments by name. The key is the module of the
function and its name there, after its class if it is a method."""

CLASSES: dict[type, str] = {}
"""The name under which a call is recorded, by module type or autograd Function that has a rule."""


def is_free(name: str) -> bool:
    """Whether an op is declared to do no arithmetic."""
    declared = OPS.get(name)
    return declared is not None and bool(declared.free)


def is_of_family(name: str, family: str) -> bool:
    """Whether an op is declared to belong to a family."""
    declared = OPS.get(name)
    return declared is not None and declared.family == family


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
    on_complex: Callable[..., Work] | Work | None = None,
    gradient: Gradient | None = None,
    window: Window = "",
    weights: tuple[int, ...] | AllButFirst = (),
    saves: tuple[str, ...] | None = None,
    shares: Shares = "",
    gives_indices: bool = False,
    weightless_macs: Callable[[OpRecord], int] | None = None,
    cause: str = "",
) -> Op:
    """Declare an op; :class:`Op` explains the parameters.

    With ``attributes``, the functions take them after the record: ``work(record, attributes)``,
    ``factors(record, attributes)``, and in ``gradient`` ``(record, attributes, operand)`` or
    ``(record, attributes, needed)``. Without, they take the same arguments except ``attributes``.

    ``on_complex`` is a function like ``work``; or it says how many real operations each operation counts,
    kind by kind, which then holds for the gradients, too.

    Raises:
        DuplicateError: an op of that name is declared already.
    """
    if name in OPS:
        raise DuplicateError(f"op {name!r} is declared already; declare each op once")
    counted = None if work is None else _pass_attributes_to_work(work, attributes)
    declared = Op(
        name=name,
        family=family,
        origin=find_origin(),
        attributes=attributes,
        bindings=(bindings,) if isinstance(bindings, Binding) else bindings,
        whole=whole,
        factories=factories,
        aten=dict.fromkeys(aten) if isinstance(aten, tuple) else aten,
        free=free,
        work=counted,
        on_complex=_count_on_complex(counted, on_complex, attributes),
        summary=summary or _read_first_line(work),
        factors=None if factors is None else _pass_attributes(factors, attributes),
        gradient=gradient
        and _add_complex_gradient(
            _pass_attributes_to_gradient(gradient, attributes), SUMS if free else on_complex
        ),
        window=window,
        weights=weights,
        saves=saves,
        shares=shares,
        gives_indices=gives_indices,
        weightless_macs=weightless_macs,
        cause=cause,
    )
    OPS[name] = declared
    return declared


def binding(infer: Callable[..., Any], *functions: str, repeated: bool = False) -> Binding:
    """Bind torch functions to the function that says what a call of them is."""
    return Binding(functions=functions, infer=infer, repeated=repeated)


def composite(*functions: str, repeated: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare torch functions that are several ops, by a generator of their calls.

    The generator yields the calls one by one, is sent the result of each, and returns what the
    torch function returns. It makes the calls by the ``infer`` of the ops themselves, so that shapes
    are inferred in one place.

    Args:
        functions: names below ``torch``.
        repeated: whether equal arguments make equal calls, as for ``Binding``; where two arguments are the
            same tensor, they are taken to be equal only to two that are.
    """

    def register(steps: Callable[..., Any]) -> Callable[..., Any]:
        COMPOSITES[functions] = Binding(functions=functions, infer=steps, repeated=repeated)
        return steps

    return register


def kernel(module: str, path: str) -> Callable[[Reader], Reader]:
    """Declare a function of another library, which the tracer knows by its name and never imports.

    It does not run in a trace on shapes: what it calls is no torch function and needs memory.
    The reader takes its arguments by name, and says which op the call is and what comes out.

    Args:
        module: the module that holds the function.
        path: its name there; ``Class.forward`` is the forward of an autograd Function.

    Raises:
        DuplicateError: the function is declared already.
    """

    def register(read: Reader) -> Reader:
        if (module, path) in KERNELS:
            raise DuplicateError(f"function {module}.{path} is declared already; declare it once")
        KERNELS[module, path] = read
        return read

    return register


def each_gradient(
    function: Callable[..., Work],
    *,
    on_complex: Callable[..., Work] | None = None,
    takes: tuple[int, ...] | None = None,
    summary: str = "",
) -> Gradient:
    """Make a gradient whose work is counted for each operand by itself, by a function of that operand."""
    return Gradient(
        per_operand=function,
        takes=_freeze(takes),
        summary=summary or _read_first_line(function),
        work=_ask_per_operand(function),
        on_complex=None if on_complex is None else _ask_per_operand(on_complex),
    )


def joint_gradient(
    function: Callable[..., tuple[Work, ...] | None],
    *,
    takes: tuple[int, ...] | None = None,
    summary: str = "",
) -> Gradient:
    """Make a gradient whose operands share work, by a function of all operands that need one.

    Shared work belongs to the first of the gradients that need it.
    """
    return Gradient(work=function, takes=_freeze(takes), summary=summary or _read_first_line(function))


def moved_gradient(takes: tuple[int, ...] | None = None) -> Gradient:
    """Make a gradient that is only put back in its place, without arithmetic."""
    return Gradient(takes=_freeze(takes))


def stopped_gradient(reason: str) -> Gradient:
    """Make the gradient of an op that lets none pass, with the reason."""
    return Gradient(stops=reason, takes=frozenset())


def rule(
    *ops: str | type, summary: str = "", factors: Callable[[OpRecord], Factors] | None = None
) -> Callable[[SomeRule], SomeRule]:
    """Register a function as the rule of one or more ops.

    A rule for a class makes each call of its ``forward`` one op, named by the qualified name of
    the class; what runs inside is not counted as well. This includes subclasses that have no
    ``forward`` of their own. The inputs of the record are the tensors that the call takes, then
    a module's parameters. Its attributes are the call's other arguments, the module's attributes
    that are numbers, strings or flags, and the shapes of its parameters by name.

    Args:
        ops: names of ops, such as ``conv2d``, or ``namespace.name`` for a custom op; or classes
            derived from ``torch.nn.Module`` or ``torch.autograd.Function``. A stored trace knows
            a class by its name, ``package.module.Class``, which may be given instead.
        summary: one line for the per-op table; the docstring's first line if not given.
        factors: for ops with multiply-accumulates, their factors, for the formula column.

    Raises:
        DuplicateError: an op has a rule already or is declared free.
        UsageError: a class is neither a module type nor an autograd Function.
    """
    targets = {name_op(target): target for target in ops}

    def register(function: SomeRule) -> SomeRule:
        for name, target in targets.items():
            known = OPS.get(name)
            if known is not None and known.counted:
                raise DuplicateError(f"op {name!r} has a rule already; name each op once")
            OPS[name] = replace(
                known or Op(name=name, origin=function.__module__),
                work=function,
                # What a rule of the user's counts on complex numbers is the user's affair.
                on_complex=function,
                factors=factors,
                summary=summary or _read_first_line(function),
            )
            if isinstance(target, type):
                CLASSES[target] = name
        return function

    return register


def gradient_rule(
    *ops: str | type, takes: tuple[int, ...] | None = None, summary: str = ""
) -> Callable[[SomeOperandFunction], SomeOperandFunction]:
    """Register a function of a record and an operand as the gradient rule of ops.

    The function is called once for each operand that needs a gradient, such as input 0 and
    input 1, and returns the work of that gradient alone.

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
    """Register a rule for ops whose gradients share work: it takes all operands that need one.

    Shared work belongs to the first of the gradients that need it.

    Raises:
        DuplicateError: an op has a gradient rule already.
    """

    def register(function: SomeJointFunction) -> SomeJointFunction:
        _add_gradient(ops, joint_gradient(function, takes=takes, summary=summary), function.__module__)
        return function

    return register


_CALLED = (("torch.nn.modules.module", "Module"), ("torch.autograd.function", "Function"))
"""The classes whose calls may have a rule, known by their names because this package never imports torch."""


def name_op(target: str | type) -> str:
    """Name the op as which calls of a class are recorded; a name of an op stays what it is.

    Raises:
        UsageError: the class is neither a module type nor an autograd Function.
    """
    if isinstance(target, str):
        return target
    bases = target.__mro__[1:] if isinstance(target, type) else ()
    if not any((base.__module__, base.__name__) in _CALLED for base in bases):
        raise UsageError(
            f"a rule cannot be registered for {target!r}; "
            "give the name of an op, such as 'conv2d' or 'mylib.op', "
            "or a subclass of torch.nn.Module or torch.autograd.Function"
        )
    return f"{target.__module__}.{target.__qualname__}"


def _add_gradient(ops: tuple[str | type, ...], gradient: Gradient, origin: str) -> None:
    for name in map(name_op, ops):
        known = OPS.get(name) or Op(name=name, origin=origin)
        gradient = replace(gradient, on_complex=gradient.work)
        if known.gradient is not None:
            raise DuplicateError(f"op {name!r} has a gradient rule already; name each op once")
        OPS[name] = replace(known, gradient=gradient)


def _pass_attributes(function: Callable[..., Any], kind: type[Attributes] | None) -> Callable[..., Any]:
    """Make a function of a record from one of the record and its attributes."""
    if kind is None:
        return function

    @wraps(function)
    def read(record: OpRecord, *rest: Any) -> Any:
        return function(record, read_attributes(record, kind), *rest)

    return read


def _pass_attributes_to_work(function: Callable[..., Work], kind: type[Attributes] | None) -> WorkFunction:
    """Do the same for the function that counts an op's work."""
    if kind is None:
        return function
    # The lookup of ``read_attributes``, written out: a count runs this for every op of a model, and a call
    # less for each is noticeable there.
    cache = find_cache(kind)

    @wraps(function)
    def read(record: OpRecord) -> Work:
        given = record.attributes
        cached = cache.get(id(given))
        if cached is not None and cached[0] is given:
            return function(record, cached[1])
        return function(record, read_attributes(record, kind))

    return read


def _count_on_complex(
    work: WorkFunction | None, on_complex: Callable[..., Work] | Work | None, kind: type[Attributes] | None
) -> Callable[[OpRecord], Work | None] | None:
    """Make the function of a record that counts an op's work on complex numbers."""
    if isinstance(on_complex, Work):
        return None if work is None else multiply_work(work, on_complex)
    return None if on_complex is None else _pass_attributes_to_work(on_complex, kind)


def _add_complex_gradient(gradient: Gradient, factors: Callable[..., Work] | Work | None) -> Gradient:
    """Give a gradient its rule for complex numbers, if factors say what they take."""
    function = gradient.work
    if gradient.on_complex is not None or not isinstance(factors, Work) or function is None:
        return gradient
    of_complex = factors

    def count_parts(record: OpRecord, needed: Needed) -> tuple[Work, ...] | None:
        works = [multiply(each, of_complex) for each in function(record, needed) or ()]
        known = tuple([each for each in works if each is not None])
        return known if len(known) == len(needed) else None

    return replace(gradient, on_complex=count_parts)


def _pass_attributes_to_gradient(gradient: Gradient, kind: type[Attributes] | None) -> Gradient:
    work = gradient.work
    if kind is None or work is None:
        return gradient
    if gradient.on_complex is not None:
        # What each_gradient made of it hands its arguments on.
        gradient = replace(gradient, on_complex=_pass_attributes(gradient.on_complex, kind))
    if gradient.per_operand is not None:
        per_operand = _pass_attributes(gradient.per_operand, kind)
        return replace(gradient, per_operand=per_operand, work=_ask_per_operand(per_operand))
    return replace(gradient, work=_pass_attributes(work, kind))


def _ask_per_operand(function: Callable[..., Work]) -> Callable[..., tuple[Work, ...]]:
    def count_each(record: OpRecord, *given: Any) -> tuple[Work, ...]:
        *attributes, needed = given
        return tuple([function(record, *attributes, operand) for operand in needed])

    return count_each


def _freeze(takes: tuple[int, ...] | None) -> frozenset[int] | None:
    return None if takes is None else frozenset(takes)


def _read_first_line(function: Callable[..., object] | None) -> str:
    return (getattr(function, "__doc__", None) or "").strip().partition("\n")[0]
