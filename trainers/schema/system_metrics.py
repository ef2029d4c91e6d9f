"""Name the system metrics of a trial: by MLflow's own names where it has them."""

PREFIX = "system/"
CPU_USE = f"{PREFIX}cpu_utilization_percentage"
MEMORY, MEMORY_SHARE = f"{PREFIX}system_memory_usage_megabytes", f"{PREFIX}system_memory_usage_percentage"
IMAGES_PER_S, LOADING_SHARE = f"{PREFIX}images_per_second", f"{PREFIX}loading_time_percentage"  # MLflow has no such
GPU_USE, GPU_MEMORY, GPU_MEMORY_SHARE = "utilization_percentage", "memory_usage_megabytes", "memory_usage_percentage"


def of_gpu(number: int, quantity: str) -> str:
    """Return the name of a quantity of one of the trial's GPUs, counted from 0."""
    return f"{PREFIX}gpu_{number}_{quantity}"
