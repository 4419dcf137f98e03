"""A trace whose floating-point numbers are of another type than those in its file."""

from msgspec.structs import replace

from resflops.records import ModuleRecord, TensorRecord, Trace

__all__ = ["convert_floats"]

FLOATS = frozenset(("float16", "bfloat16", "float32", "float64"))


def convert_floats(trace: Trace, dtype: str) -> Trace:
    """Convert what is of the type that most parameters have, as a model is cast; all else keeps its type."""
    counts: dict[str, int] = {}
    for module in trace.modules:
        for tensor in module.parameters:
            if tensor.dtype in FLOATS:
                counts[tensor.dtype] = counts.get(tensor.dtype, 0) + tensor.elements
    main = max(counts, key=counts.__getitem__, default="float32")

    def convert(own: str) -> str:
        return dtype if own == main else own

    def convert_tensor(tensor: TensorRecord) -> TensorRecord:
        return replace(tensor, dtype=convert(tensor.dtype))

    def convert_module(module: ModuleRecord) -> ModuleRecord:
        return replace(
            module,
            parameters=tuple(map(convert_tensor, module.parameters)),
            buffers=tuple(map(convert_tensor, module.buffers)),
        )

    return replace(
        trace,
        inputs=tuple([replace(given, dtype=convert(given.dtype)) for given in trace.inputs]),
        modules=tuple(map(convert_module, trace.modules)),
        ops=tuple([replace(record, dtype=convert(record.dtype)) for record in trace.ops]),
    )
