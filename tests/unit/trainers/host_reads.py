"""See what would wait for a CUDA device: reading a value, and shapes that depend on values.

A profile sees them on the CPU too, also in the backward pass, where ``Tensor.prod`` for one takes such a step.
"""

from collections.abc import Callable

from torch.profiler import ProfilerActivity, profile

HOST_READS = {"aten::item", "aten::_local_scalar_dense", "aten::is_nonzero", "aten::nonzero", "aten::masked_select"}


def host_reads(run: Callable[[], object]) -> set[str]:
    """Return the names of the steps of ``run`` that would wait."""
    with profile(activities=[ProfilerActivity.CPU]) as record:
        run()
    return {event.key for event in record.key_averages()} & HOST_READS
