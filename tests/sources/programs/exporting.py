"""Exporting in the way that later versions of torch do it by default, and through a file."""

import io

import torch

__all__ = ["OF_2_6", "export", "save_and_load"]

OF_2_6 = torch.__version__.startswith("2.6.")


def export(model, inputs, keywords=None, *, strict=False, **how):
    return torch.export.export(model, inputs, keywords, strict=strict, **how)


def save_and_load(program):
    file = io.BytesIO()
    torch.export.save(program, file)
    file.seek(0)
    return torch.export.load(file)
