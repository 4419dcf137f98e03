"""What decides a time besides the configuration: the machine, its software and its flags."""

from collections.abc import Collection, Iterator

from msgspec import Struct

__all__ = [
    "TF32",
    "TF32_CONVOLUTIONS",
    "TF32_PRODUCTS",
    "Environment",
    "Gpu",
]

TF32 = "TF32"
"""The precision of float32 ops whose inputs are rounded to ten bits of fraction."""

TF32_PRODUCTS, TF32_CONVOLUTIONS = "TF32 in matrix products", "TF32 in convolutions"
"""Flags that decide what float32 is computed in on a GPU."""


class Gpu(Struct, frozen=True, kw_only=True):
    """A GPU; what it did not tell is None."""

    name: str
    capability: str
    multiprocessors: int
    memory_bytes: int
    l2_bytes: int | None = None
    driver: str | None = None
    power_limit_watts: float | None = None
    most_sm_clock_mhz: int | None = None
    most_memory_clock_mhz: int | None = None
    ecc: str | None = None
    """Whether errors of memory are corrected, which takes some of its bandwidth."""
    mig: str | None = None
    """Whether the GPU is cut into parts, of which one is seen."""
    persistence: str | None = None
    """Whether the driver stays loaded while nothing runs."""
    other_processes: int | None = None
    """How many other processes compute on it."""


class Environment(Struct, frozen=True, kw_only=True):
    """What decides a time besides the configuration: machine, versions, flags."""

    resflops: str
    python: str
    torch: str
    system: str
    cpu: str
    cpu_family: str = ""
    """Its family, model and stepping, as the system tells them."""
    cores: int
    """Cores that the operating system shows, where threads of one core count as cores."""
    threads: int
    """Threads that torch computes with."""
    gpu: Gpu | None = None
    cuda: str | None = None
    cudnn: str | None = None
    flags: dict[str, str] = {}
    """Settings of torch and environment variables, as they were found."""
    backends: dict[str, dict[str, str]] = {}
    """What is known of each backend other than torch that was used."""

    @property
    def device(self) -> str:
        """The name of what the models ran on."""
        return (
            self.gpu.name
            if self.gpu
            else f"{self.cpu}, {self.threads} thread{'s' if self.threads > 1 else ''}"
        )

    def find_precision(self, dtype: str, *, convolution: bool) -> str:
        """Find what ops of a dtype compute in: ``TF32`` for float32 where it is on, else the dtype."""
        flag = self.flags.get(TF32_CONVOLUTIONS if convolution else TF32_PRODUCTS)
        return TF32 if dtype == "float32" and flag == "on" else dtype

    def find_differences(self, other: "Environment") -> list[str]:
        """Find what differs from another environment, one text each: ``torch 2.15.0 against 2.14.1``.

        Of backends only those that both used: one that was not used has no times that could differ.
        """
        common = self.backends.keys() & other.backends.keys()
        ours, theirs = (
            {name: fact for name, fact in each.list_facts(common) if name != "GPU other processes"}
            for each in (self, other)
        )
        return [
            f"{name} {ours.get(name, 'not set')} against {theirs.get(name, 'not set')}"
            for name in dict.fromkeys((*ours, *theirs))
            if ours.get(name) != theirs.get(name)
        ]

    def list_facts(self, backends: Collection[str] | None = None) -> Iterator[tuple[str, str]]:
        """List everything known, by names for people.

        Args:
            backends: those whose facts are wanted; all if None.
        """
        for struct, prefix in ((self, ""), (self.gpu, "GPU ")):
            for name in struct.__struct_fields__ if struct else ():
                value = getattr(struct, name)
                if name not in {"gpu", "flags", "backends"} and value not in (None, ""):
                    yield prefix + name.replace("_", " "), str(value)
        yield from self.flags.items()
        for backend, facts in self.backends.items():
            if backends is None or backend in backends:
                yield from ((f"{backend} {name}", fact) for name, fact in facts.items())
