"""The pages, in the order of the index. To add one, add its module and name it here."""

from resflops.report.page import Page
from resflops.report.pages import crosscheck, kernels, latency, memory, models, prediction, reproduction

__all__ = ["PAGES"]

PAGES: tuple[Page, ...] = (
    reproduction.PAGE,
    models.PAGE,
    kernels.PAGE,
    memory.PAGE,
    crosscheck.PAGE,
    latency.PAGE,
    prediction.PAGE,
)
