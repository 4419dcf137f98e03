"""Models that are spread over several processes: what the process that counts them does itself.

No process group is used for it: nothing is sent, so one rank can count without the others.
"""

from resflops.tracing.distributed.ranks import check_real_run, describe_rank
from resflops.tracing.distributed.recorder import DistributedRecorder, is_distributed
from resflops.tracing.distributed.tensors import list_local_records
from resflops.tracing.distributed.unsharding import unshard

__all__ = [
    "DistributedRecorder",
    "check_real_run",
    "describe_rank",
    "is_distributed",
    "list_local_records",
    "unshard",
]
