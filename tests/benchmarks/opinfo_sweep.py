"""Torch's own database of operators with sample inputs (OpInfo), swept: what each operator's calls cost.

    python tests/benchmarks/opinfo_sweep.py [PATTERN ...] [--samples N] [--verbose]

Every sample that torch itself can run on the CPU is traced on shapes and for real. The two traces must price
the same ops with the same work, and give outputs of the shapes and element types that torch gives. The
summary counts the samples of each verdict, and lists the ops that have no rule. It needs ``expecttest``,
which torch's database imports. Nothing stops the sweep; it takes some ten minutes, a pattern much less.
"""

import argparse
import collections
import fnmatch
import sys
import warnings
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import torch
from msgspec import Struct
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_leaves, tree_map_only, tree_unflatten

import resflops
from resflops.cost import price
from resflops.cost.convention import find_convention
from resflops.errors import ResflopsError
from resflops.ops import is_free
from resflops.records import Trace

DTYPES = ("float32", "float64", "float16", "bfloat16", "complex64", "int64", "uint8", "bool")
"""The element types that an operator is tried on, where it has them."""

CONVENTIONS = ("macs", "formula", "flops")

Outputs = tuple[tuple[tuple[int, ...], torch.dtype], ...]
"""The shapes and element types of what a call returns."""


class Verdict(Struct, frozen=True):
    """What came of one sample."""

    kind: str
    """``agree``, ``disagree``, ``outputs`` differ from torch's, ``refused`` with a message, or ``crashed``."""
    reason: str = ""
    real: bool = False
    """Whether shapes did not tell its path, so that both traces ran for real."""
    uncounted: tuple[str, ...] = ()
    priced: tuple[str, ...] = ()
    free: tuple[str, ...] = ()


class Sample(nn.Module):
    """One call of an operator: its tensors are the model's inputs, and its other arguments the model's own."""

    def __init__(
        self,
        function: Callable[..., Any],
        call: tuple[Any, ...],
        settings: dict[str, Any],
        on_result: Callable[[Any], None],
    ) -> None:
        super().__init__()
        self.function, self.on_result = function, on_result
        leaves, self.spec = tree_flatten((call, settings))
        self.rest = [None if isinstance(leaf, Tensor) else leaf for leaf in leaves]
        self.places = [place for place, leaf in enumerate(leaves) if isinstance(leaf, Tensor)]
        self.inputs = tuple(leaf.detach() for leaf in leaves if isinstance(leaf, Tensor))

    def forward(self, *tensors: Tensor) -> Any:
        """Call the operator, and tell what it returns."""
        leaves = list(self.rest)
        for place, tensor in zip(self.places, tensors, strict=True):
            leaves[place] = tensor
        args, kwargs = tree_unflatten(leaves, self.spec)
        out = self.function(*args, **kwargs)
        self.on_result(out)
        return out


def read_outputs(out: Any) -> Outputs:
    """Read the shapes and element types of the tensors that a call returns."""
    return tuple((tuple(each.shape), each.dtype) for each in tree_leaves(out) if isinstance(each, Tensor))


def copy_tensors(value: Any) -> Any:
    """Copy every tensor, for an operator that writes into one."""
    return tree_map_only(Tensor, lambda tensor: tensor.detach().clone(), value)


def list_priced(trace: Trace) -> tuple[Any, ...]:
    """List what a trace costs: its priced and uncounted ops, and the totals under each convention."""
    costs = [price(trace, find_convention(name)) for name in CONVENTIONS]
    works = [(record.op, work) for record, work in zip(trace.ops, costs[0].works, strict=True)]
    return (
        tuple(cost.total for cost in costs),
        sorted((op, str(work)) for op, work in works if not is_free(op)),
    )


def judge(function: Callable[..., Any], sample: Any) -> Verdict | None:
    """Compare the traces of one sample with each other and with torch; None where torch itself refuses it."""
    call = (sample.input, *sample.args)
    try:
        with torch.no_grad():
            expected = read_outputs(function(*copy_tensors(call), **copy_tensors(sample.kwargs)))
    except Exception:
        return None
    try:
        return compare_traces(function, call, sample.kwargs, expected)
    except ResflopsError as error:
        return Verdict("refused", f"{type(error).__name__}: {describe(error)}")
    except Exception as error:
        return Verdict("crashed", f"{type(error).__name__}: {describe(error)}")


def compare_traces(
    function: Callable[..., Any], call: tuple[Any, ...], settings: dict[str, Any], expected: Outputs
) -> Verdict:
    """Trace a sample on shapes and for real, and compare what comes of it."""
    # A trace gives the model's attributes back as they were, so what it returned is kept elsewhere.
    told: list[Outputs] = []
    model = Sample(function, call, settings, lambda out: told.append(read_outputs(out)))
    on_meta = resflops.trace(model, *model.inputs)
    outputs = told[-1]
    for_real = resflops.trace(model, *model.inputs, real=True)
    called = {record.op for record in on_meta.ops}
    uncounted = {each.op for each in price(on_meta, find_convention("macs")).uncounted}
    free = {op for op in called if is_free(op)}
    facts: dict[str, Any] = {
        "real": on_meta.execution == "real",
        "uncounted": tuple(uncounted),
        "free": tuple(free),
        "priced": tuple(called - free - uncounted),
    }
    if outputs != expected:
        return Verdict(
            "outputs", f"{name_outputs(outputs)}, but torch gives {name_outputs(expected)}", **facts
        )
    if list_priced(on_meta) != list_priced(for_real):
        return Verdict("disagree", f"{list_priced(on_meta)}, for real {list_priced(for_real)}", **facts)
    return Verdict("agree", **facts)


def name_outputs(outputs: Outputs) -> str:
    """Write the shapes and element types of a call's outputs in one line."""
    return ", ".join(f"{'×'.join(map(str, shape)) or 'scalar'} {str(kind)[6:]}" for shape, kind in outputs)


def describe(error: Exception) -> str:
    """Write an error in one line."""
    return " ".join(str(error).split())[:200]


def list_samples(info: Any, count: int, dtypes: list[str]) -> Iterator[tuple[torch.dtype, Any]]:
    """Choose some samples of an operator for each element type, spread over all that it has."""
    for dtype in (getattr(torch, name) for name in dtypes):
        if dtype not in info.dtypes:
            continue
        try:
            samples = list(islice(info.sample_inputs("cpu", dtype, requires_grad=False), 400))
        except Exception:
            continue
        step = max(len(samples) // count, 1)
        yield from ((dtype, sample) for sample in samples[::step][:count])


def list_forms(info: Any) -> Iterator[Callable[..., Any]]:
    """List the ways to call an operator: as a function, a method, in place, by its sign."""
    forms = (info.op, info.method_variant, info.inplace_variant, info.operator_variant)
    yield from dict.fromkeys(form for form in forms if form is not None)


def infer_whole(function: Callable[..., Any]) -> Callable[..., Any]:
    """Call an operator in inference mode, where torch leaves functions whole that it takes apart elsewhere."""

    def call(*args: Any, **kwargs: Any) -> Any:
        with torch.inference_mode():
            return function(*args, **kwargs)

    return call


def sweep(
    patterns: list[str], *, count: int, dtypes: list[str], inference: bool
) -> Iterator[tuple[str, torch.dtype, Any, Verdict]]:
    """Judge the samples of every operator whose name matches."""
    from torch.testing._internal.common_methods_invocations import op_db

    for info in op_db:
        name = ".".join(part for part in (info.name, info.variant_test_name) if part)
        if patterns and not any(fnmatch.fnmatch(name, pattern) for pattern in patterns):
            continue
        for dtype, sample in list_samples(info, count, dtypes):
            for function in list_forms(info):
                torch.manual_seed(0)
                verdict = judge(infer_whole(function) if inference else function, sample)
                if verdict is not None:
                    yield name, dtype, sample, verdict


def main() -> int:
    """Sweep, and print the summary."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("patterns", nargs="*", metavar="PATTERN")
    parser.add_argument("--samples", type=int, default=12, help="how many of each element type")
    parser.add_argument("--dtypes", nargs="+", default=DTYPES, choices=DTYPES)
    parser.add_argument("--inference", action="store_true", help="call them in torch.inference_mode()")
    parser.add_argument("--verbose", action="store_true", help="a line for every sample that does not agree")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    kinds: collections.Counter[str] = collections.Counter()
    reasons: dict[str, dict[str, str]] = collections.defaultdict(dict)
    uncounted: dict[str, set[str]] = collections.defaultdict(set)
    by_dtype: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    priced: set[str] = set()
    free: set[str] = set()
    names, real = set(), 0
    found_all = sweep(given.patterns, count=given.samples, dtypes=given.dtypes, inference=given.inference)
    for name, dtype, _, verdict in found_all:
        names.add(name)
        kinds[verdict.kind] += 1
        by_dtype[str(dtype)[6:]][verdict.kind] += 1
        priced.update(verdict.priced)
        free.update(verdict.free)
        real += verdict.real
        for op in verdict.uncounted:
            uncounted[op].add(name)
        if verdict.kind != "agree":
            reasons[verdict.kind].setdefault(name, f"{str(dtype)[6:]}: {verdict.reason}")
            if given.verbose:
                print(f"{name} {str(dtype)[6:]} {verdict.kind}: {verdict.reason}"[:400], flush=True)
    for kind, found in reasons.items():
        print(f"\n{kind}, the first of each operator")
        for name, reason in found.items():
            print(f"  {name:<40} {reason}"[:300])
    print("\nuncounted")
    for op, users in sorted(uncounted.items()):
        print(f"  {op:<40} {', '.join(sorted(users))}"[:200])
    total = sum(kinds.values())
    print(f"\n{len(names)} operators, {total} samples, {real} of them run for real")
    for title, counts in (("all", kinds), *by_dtype.items()):
        print(f"{title}: " + ", ".join(f"{count} {kind}" for kind, count in counts.most_common()))
    print(f"{len(priced)} ops priced, {len(free)} free, {len(uncounted)} uncounted, "
          f"in {len(set().union(*uncounted.values()))} operators")  # fmt: skip
    return 1 if kinds["disagree"] or kinds["outputs"] or kinds["crashed"] else 0


if __name__ == "__main__":
    sys.exit(main())
