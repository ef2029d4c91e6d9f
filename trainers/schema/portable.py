"""Say which variables make x86-64 processors compute the same bits. Imports nothing heavy.

Libraries choose their instructions by the processor, and different instructions add in another order. With these
variables all of them take what every processor with AVX2 and FMA has, on Intel's as on AMD's. Each library reads its
variable once, so they must stand in a process's environment before torch and NumPy are imported.
"""

import platform
from collections.abc import Mapping

VARIABLES = {
    "ATEN_CPU_CAPABILITY": "avx2",  # torch's own kernels
    "ONEDNN_MAX_CPU_ISA": "AVX2",  # convolutions
    "MKL_CBWR": "COMPATIBLE",  # matrix products and most functions; the only one of its modes that AMD's processors share
    "OPENBLAS_CORETYPE": "HASWELL",  # NumPy's matrix products
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",  # NumPy's functions
}
MACHINES = ("x86_64", "AMD64")


def unmet(environment: Mapping[str, str]) -> str | None:
    """Return why a process with ``environment`` does not compute portable numbers, ``None`` when it does.

    Whether the processor has AVX2 is not looked at: torch says so.
    """
    if platform.machine() not in MACHINES:
        return f"the processor is {platform.machine()}, not x86-64"
    missing = [name for name, value in VARIABLES.items() if environment.get(name) != value]
    return f"{', '.join(missing)} must be set before torch is imported" if missing else None
