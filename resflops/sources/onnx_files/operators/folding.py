"""Columns folded back into an image."""

from resflops.sources.onnx_files.operators._binding import bind

bind({"Col2Im": "col2im"}, inputs=1)
