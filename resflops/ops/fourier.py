"""Fourier transforms."""

from math import log2, prod

from resflops.ops._attributes import Attributes
from resflops.ops._complex import AS_REAL
from resflops.ops._declaration import each_gradient, op
from resflops.records import OpRecord, Shape, Work

FAMILY = "fourier"


class Transform(Attributes, frozen=True):
    """A Fourier transform."""

    dim: tuple[int, ...]
    """The dimensions over which it is taken."""


def _count_transform(shape: Shape, attributes: Transform, *, per_stage: int) -> Work:
    """Count so many operations for each of N·log₂ N points and stages, in every transform of N points."""
    points = prod(shape[place] for place in attributes.dim)
    transforms = prod(shape) // points if points else 0
    return Work(arithmetic=transforms * round(per_stage * points * log2(points)) if points else 0)


def _halve(work: Work) -> Work:
    return Work(arithmetic=work.arithmetic // 2)


def fft(record: OpRecord, attributes: Transform) -> Work:
    """5·N·log₂ N per transform of N complex points, rounded; no MACs.

    The convention of FFTW (https://www.fftw.org/speed/): the asymptotic count of a
    radix-2 Cooley-Tukey transform, 10 real operations for each of N/2·log₂ N butterflies.
    It is taken for any N, so that transforms compare; over several dimensions N is the
    product of their sizes.
    """
    return _count_transform(record.input_shapes[0], attributes, per_stage=5)


def rfft(record: OpRecord, attributes: Transform) -> Work:
    """2.5·N·log₂ N per transform of N real points, rounded: half of a complex one; no MACs."""
    return _halve(_count_transform(record.input_shapes[0], attributes, per_stage=5))


def irfft(record: OpRecord, attributes: Transform) -> Work:
    """2.5·N·log₂ N per transform to N real points, rounded: half of a complex one; no MACs."""
    return _halve(_count_transform(record.output_shape, attributes, per_stage=5))


_WORKS = {"fft": fft, "rfft": rfft, "irfft": irfft}


def transform_gradient(record: OpRecord, attributes: Transform, operand: int) -> Work:
    """As the forward pass: the gradient of a transform is the transform the other way."""
    del operand
    return _WORKS[record.op](record, attributes)


# Torch's own functions pad or cut, then call one of these three.
for _name, _aten in (("fft", "_fft_c2c"), ("rfft", "_fft_r2c"), ("irfft", "_fft_c2r")):
    op(
        _name,
        family=FAMILY,
        attributes=Transform,
        aten=(_aten,),
        work=_WORKS[_name],
        on_complex=AS_REAL,
        gradient=each_gradient(transform_gradient),
        saves=(),
    )
