"""Fourier transforms."""

from math import log2, prod

from resflops.records import OpRecord, Shape, Work
from resflops.rules.registry import rule


def _transform(shape: Shape, record: OpRecord, *, per_stage: int) -> Work:
    """So many operations a point and stage, N·log₂ N of them, for every transform of N points."""
    dims = record.attributes.get("dim")
    places = dims if isinstance(dims, tuple) else (-1,)
    points = prod(shape[place] for place in places)
    transforms = prod(shape) // points if points else 0
    return Work(arithmetic=transforms * round(per_stage * points * log2(points)) if points else 0)


@rule("fft")
def fft(record: OpRecord) -> Work:
    """5·N·log₂ N per transform of N complex points, rounded; no MACs.

    The convention of FFTW (https://www.fftw.org/speed/): the asymptotic count of a
    radix-2 Cooley-Tukey transform, 10 real operations for each of N/2·log₂ N butterflies.
    It is taken for any N, so that transforms compare; over several dimensions N is the
    product of their sizes.
    """
    return _transform(record.input_shapes[0], record, per_stage=5)


@rule("rfft")
def rfft(record: OpRecord) -> Work:
    """2.5·N·log₂ N per transform of N real points, rounded: half of a complex one; no MACs."""
    return _halved(_transform(record.input_shapes[0], record, per_stage=5))


@rule("irfft")
def irfft(record: OpRecord) -> Work:
    """2.5·N·log₂ N per transform to N real points, rounded: half of a complex one; no MACs."""
    return _halved(_transform(record.output_shape, record, per_stage=5))


def _halved(work: Work) -> Work:
    return Work(arithmetic=work.arithmetic // 2)
