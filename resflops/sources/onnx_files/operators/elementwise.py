"""What is done to every element: activations, arithmetic, comparisons."""

from resflops.sources.onnx_files.operators._binding import bind

bind({"Relu": "relu", "Add": "add", "Mul": "mul"})
