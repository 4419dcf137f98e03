"""Tensors made from no other tensor: only sizes and element types matter."""

from resflops.sources.onnx_files.operators._binding import bind

bind(
    {
        "ConstantOfShape": "full", "EyeLike": "eye", "RandomNormal": "randn",
        "RandomNormalLike": "randn_like", "RandomUniform": "rand", "RandomUniformLike": "rand_like",
        "Range": "arange",
    },
    inputs=0,
)  # fmt: skip
bind({"Bernoulli": "bernoulli", "Multinomial": "multinomial"})
