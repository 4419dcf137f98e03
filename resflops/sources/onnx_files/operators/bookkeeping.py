"""Bookkeeping: sizes, and what puts tensors into sequences and optional values and takes them out."""

from resflops.sources.onnx_files.operators._binding import bind

bind({
    "Optional": "identity", "OptionalGetElement": "identity", "OptionalHasElement": "size",
    "SequenceAt": "identity", "SequenceConstruct": "identity", "SequenceEmpty": "identity",
    "SequenceErase": "identity", "SequenceInsert": "identity", "SequenceLength": "size",
    "Shape": "size", "Size": "size",
})  # fmt: skip
