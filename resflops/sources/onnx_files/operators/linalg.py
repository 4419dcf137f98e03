"""Linear algebra."""

from resflops.sources.onnx_files.operators._binding import bind

bind({"Det": "_linalg_det"})
