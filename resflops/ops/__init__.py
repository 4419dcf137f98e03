"""What each op is: one module for each family, one declaration for each op. Importing this declares them all.

Nothing here imports torch. Every module of this package without a leading underscore is a family, and is
imported because it is there: no list names it.
"""

from importlib import import_module
from pkgutil import iter_modules

from resflops.extensions import load_extensions
from resflops.ops._attributes import Attributes, read_attributes
from resflops.ops._call import (
    Blank,
    Call,
    CallSignature,
    Mismatch,
    NotDescribed,
    Promoted,
    SharedWith,
    SignedCall,
    TensorLike,
    broadcast,
    is_tensor,
    name_dtype,
    name_parts_dtype,
    per_dimension,
    plain_shapes,
    wrap_dimension,
)
from resflops.ops._complex import COMPLEX_TYPES, is_complex
from resflops.ops._declaration import (
    ALL_BUT_FIRST,
    CLASSES,
    COMPOSITES,
    KERNELS,
    OPS,
    AtenBinding,
    Binding,
    Factors,
    Gradient,
    Needed,
    Op,
    Window,
    binding,
    composite,
    each_gradient,
    gradient_rule,
    is_free,
    is_of_family,
    joint_gradient,
    joint_gradient_rule,
    kernel,
    moved_gradient,
    name_op,
    op,
    rule,
    stopped_gradient,
)

__all__ = [
    "ALL_BUT_FIRST",
    "CLASSES",
    "COMPLEX_TYPES",
    "COMPOSITES",
    "KERNELS",
    "OPS",
    "AtenBinding",
    "Attributes",
    "Binding",
    "Blank",
    "Call",
    "CallSignature",
    "Factors",
    "Gradient",
    "Mismatch",
    "Needed",
    "NotDescribed",
    "Op",
    "Promoted",
    "SharedWith",
    "SignedCall",
    "TensorLike",
    "Window",
    "binding",
    "broadcast",
    "composite",
    "each_gradient",
    "gradient_rule",
    "is_complex",
    "is_free",
    "is_of_family",
    "is_tensor",
    "joint_gradient",
    "joint_gradient_rule",
    "kernel",
    "load_more_ops",
    "moved_gradient",
    "name_dtype",
    "name_op",
    "name_parts_dtype",
    "op",
    "per_dimension",
    "plain_shapes",
    "read_attributes",
    "rule",
    "stopped_gradient",
    "wrap_dimension",
]

for _module in iter_modules(__path__):
    if not _module.name.startswith("_"):
        import_module(f"{__name__}.{_module.name}")


def load_more_ops() -> None:
    """Load the ops that other distributions declare: before functions are bound, and before ops are listed.

    Importing this package does not do so, because looking for them reads the metadata of every
    installed distribution.
    """
    load_extensions("resflops.ops", OPS, COMPOSITES, CLASSES)
