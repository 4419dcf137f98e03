"""Some of the elements: slices and pieces."""

from resflops.sources.onnx_files.operators._binding import bind

bind({"Slice": "getitem", "Split": "split", "SplitToSequence": "split"}, inputs=1)
