"""Importing torchvision without torch's compiler, which one line of it loads and no count needs.

``torchvision.ops.roi_align`` imports ``is_compile_supported`` from ``torch._dynamo.utils``, in every version
that goes with torch 2.6 to 2.15. That loads torch._dynamo, sympy and much of torch._inductor: 1.1 of
torchvision's 1.2 s (torch 2.14), to ask what matters on a GPU with deterministic algorithms alone. In the
command's own process the line is replaced by a function that imports the other one when it is called. Nothing
takes the place of a module of torch's: whoever imports torch._dynamo loads it as ever.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType

__all__ = ["postpone_compiler"]

MODULE = "torchvision.ops.roi_align"
IMPORT = b"from torch._dynamo.utils import is_compile_supported"
# One line, so that all others keep their numbers.
FUNCTION = (
    b"def is_compile_supported(*args): "
    b"import torch._dynamo.utils; return torch._dynamo.utils.is_compile_supported(*args)"
)


@contextmanager
def postpone_compiler() -> Iterator[None]:
    """Let torchvision load torch's compiler only when it is asked for, if it is imported while this lasts."""
    sys.meta_path.insert(0, _Finder)
    try:
        yield
    finally:
        sys.meta_path.remove(_Finder)


class _Finder:
    """Finds the one module, if its source has the line that is replaced and says no more of the compiler."""

    @classmethod
    def find_spec(
        cls, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find the module; None for any other, which leaves it to the finders after this one."""
        if name != MODULE or "torch._dynamo" in sys.modules:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is None or type(spec.loader) is not SourceFileLoader:
            return None
        lines = spec.loader.get_data(spec.loader.path).splitlines()
        if lines.count(IMPORT) != 1 or sum(b"_dynamo" in line for line in lines) != 1:
            return None
        spec.loader = _Loader(name, spec.loader.path)
        return spec


class _Loader(SourceFileLoader):
    """Loads the module with the line replaced; nothing is written beside it."""

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002 - the loader knows its module
        """Compile the source, and not what Python has compiled of the file before."""
        lines = self.get_data(self.path).splitlines(keepends=True)
        source = b"".join(line.replace(IMPORT, FUNCTION) for line in lines)
        return self.source_to_code(source, self.path)
