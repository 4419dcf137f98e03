"""Views: the same elements under another shape."""

from resflops.sources.onnx_files.operators._binding import bind

bind(
    {
        "BitCast": "view", "Expand": "expand", "Flatten": "flatten", "Reshape": "reshape",
        "Squeeze": "squeeze", "Transpose": "permute", "Unsqueeze": "unsqueeze",
    },
    inputs=1,
)  # fmt: skip
