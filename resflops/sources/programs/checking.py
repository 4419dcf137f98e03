"""Looking through the file of an exported program for what would run as it is loaded.

``torch.export.load`` trusts its file. It unpickles what is no plain tensor, which may call any function:
example inputs, weights and objects of classes of their own. It has sympy evaluate the sizes, which are
written in Python. It resolves the name of a function to whatever torch has by that name. And it loads
compiled code that lies beside the program. A file may have none of this here: pickles are read as by
``torch.load(weights_only=True)``, which calls nothing but torch's own makers of tensors, sizes may hold sums
and the like alone, and functions are ops.
"""

import ast
import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from resflops.errors import ModelError
from resflops.sources.loading_values import import_with_values, load_values

__all__ = ["check_archive"]

_GRAPH = re.compile(r"(?:[^/]+/models/[^/]+|serialized_exported_program)\.json")
"""Files that hold a graph: of torch from 2.8 on, and before."""
_PICKLES = re.compile(r"[^/]+/data/sample_inputs/[^/]+|serialized_\w+\.pt")
_CONFIG = re.compile(r"([^/]+/data/(?:weights|constants)/)[^/]+_config\.json")
_COMPILED = re.compile(r"[^/]+/data/aotinductor/.*|.*\.(?:so|dll|dylib|cubin)")


def check_archive(archive: zipfile.ZipFile, path: Path) -> None:
    """Refuse a file that holds what would run as it is loaded, or a program whose ops are not there.

    Raises:
        ModelError: it does.
    """
    names = archive.namelist()
    if compiled := next(filter(_COMPILED.fullmatch, names), None):
        raise _refuse(path, f"holds compiled code ({compiled}), which has no graph to count", trust=False)
    for name in filter(_PICKLES.fullmatch, names):
        _check_pickle(archive.read(name), name, path)
    for folder, config in [(found[1], name) for name in names if (found := _CONFIG.fullmatch(name))]:
        for payload in json.loads(archive.read(config)).get("config", {}).values():
            if payload["path_name"].startswith("opaque_obj"):
                raise _refuse(path, "holds a pickled object, which runs code from the file as it is loaded")
            if payload["use_pickle"] and not payload["path_name"].startswith("custom_obj"):
                _check_pickle(archive.read(folder + payload["path_name"]), payload["path_name"], path)
    targets: set[str] = set()
    for name in filter(_GRAPH.fullmatch, names):
        targets |= set(_check_graph(json.loads(archive.read(name)), path))
    _check_ops(targets, path)


def _refuse(path: Path, what: str, *, trust: bool = True) -> ModelError:
    remedy = (
        f"if you trust it, load it yourself, as in resflops.count(torch.export.load({str(path)!r}))"
        if trust
        else "save the program itself with torch.export.save, and give that"
    )
    return ModelError(f"{str(path)!r} {what}; {remedy}")


def _check_pickle(data: bytes, name: str, path: Path) -> None:
    """Refuse a pickle that holds more than tensors and plain values."""
    try:
        with load_values():
            torch.load(io.BytesIO(data), weights_only=True)
    # The file may hold anything.
    except Exception as error:
        raise _refuse(
            path, f"holds pickled objects in {name}, which run code from the file as they are loaded"
        ) from error


_FUNCTIONS = frozenset(
    (
        "Symbol", "Integer", "Rational", "Float", "Add", "Mul", "Pow", "Mod", "Min", "Max", "Abs", "And",
        "Or", "Not", "Xor", "Eq", "Ne", "Lt", "Le", "Gt", "Ge", "Equality", "Unequality", "StrictLessThan",
        "LessThan", "StrictGreaterThan", "GreaterThan", "Piecewise", "ExprCondPair", "ceiling", "floor",
        "sqrt", "log", "exp", "FloorDiv", "ModularIndexing", "Where", "PythonMod", "CleanDiv", "CeilToInt",
        "FloorToInt", "CeilDiv", "LShift", "RShift", "PowByNatural", "FloatPow", "FloatTrueDiv",
        "IntTrueDiv", "TruncToFloat", "TruncToInt", "RoundToInt", "RoundDecimal", "ToFloat", "Identity",
        "IsNonOverlappingAndDenseIndicator", "BitwiseFn_bitwise_and", "BitwiseFn_bitwise_or",
        "BitwiseFn_bitwise_xor",
    )
)  # fmt: skip
"""What sizes may be made with."""
_PARTS = (
    ast.Expression, ast.Call, ast.keyword, ast.Name, ast.Constant, ast.Tuple, ast.BinOp, ast.UnaryOp,
    ast.BoolOp, ast.Compare, ast.operator, ast.unaryop, ast.boolop, ast.cmpop, ast.expr_context,
)  # fmt: skip


def _check_graph(value: Any, path: Path) -> Iterator[str]:
    """Refuse expressions that are more than sizes; give the names of the functions that a graph calls."""
    waiting = [value]
    while waiting:
        found = waiting.pop()
        if isinstance(found, list):
            waiting += found
        elif isinstance(found, dict):
            waiting += found.values()
            expression = found.get("expr_str")
            if isinstance(expression, str) and not _is_size(expression):
                raise _refuse(path, f"writes a size as {expression!r:.80}, which would run as code")
            if isinstance(target := found.get("target"), str) and "inputs" in found:
                yield target


def _is_size(expression: str) -> bool:
    """Whether an expression is made of numbers, symbols and functions of sizes alone."""
    try:
        parts = list(ast.walk(ast.parse(expression.strip(), mode="eval")))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return all(
        isinstance(part, _PARTS)
        and not (isinstance(part, ast.Call) and getattr(part.func, "id", "") not in _FUNCTIONS)
        and not (isinstance(part, ast.Constant) and not re.fullmatch(r"[\w.+-]*", str(part.value)))
        for part in parts
    )


_TARGET = re.compile(
    r"torch\.ops\.\w+\.\w+(?:\.\w+)?|math\.\w+|torch\._?sym_\w+|#.*|_operator\.(?:add|sub|mul|truediv|floordiv"
    r"|mod|pow|neg|pos|abs|and_|or_|xor|not_|inv|invert|lshift|rshift|lt|le|eq|ne|ge|gt|getitem)"
)
"""What nodes may call: ops, and arithmetic and the like on sizes."""
_REGISTERED_BY = {
    "torchvision": "torchvision",
    "torchaudio": "torchaudio",
    "torchao": "torchao",
    "quantized_decomposed": "torch.ao.quantization.fx._decomposed",
}
"""Packages that register ops, by the namespace of these."""


def _check_ops(targets: set[str], path: Path) -> None:
    """Refuse what calls anything but ops, and ops that nobody has registered."""
    missing = []
    for target in sorted(targets):
        if not _TARGET.fullmatch(target):
            raise _refuse(path, f"calls {target!r:.80}, and torch.export writes programs that call ops alone")
        place, _, rest = target.removeprefix("torch.ops.").partition(".")
        if target.startswith("torch.ops.") and place != "higher_order" and not _is_registered(place, rest):
            missing.append(f"{place}::{rest.partition('.')[0]}")
    if missing:
        raise ModelError(
            f"{str(path)!r} uses {', '.join(dict.fromkeys(missing))}, which nothing has registered here; "
            "in Python, import the package that does, and give the program, as in "
            f"resflops.count(torch.export.load({str(path)!r}))"
        )


def _is_registered(namespace: str, op: str) -> bool:
    name = op.partition(".")[0]
    if not hasattr(getattr(torch.ops, namespace), name) and namespace in _REGISTERED_BY:
        try:
            import_with_values(_REGISTERED_BY[namespace])
        # It may not be installed, or not fit the installed torch.
        except Exception:  # noqa: BLE001
            return False
    return hasattr(getattr(torch.ops, namespace), name)
