"""Kernels of linear algebra, NumPy and the C library that stand for other processors, by name.

``python tests/processors/kernels.py NAME`` prints the variables for a shell.
"""

import shlex
import sys

__all__ = ["KERNELS"]

OLD = "X86_V3 X86_V4 AVX512_ICL AVX512_SPR AVX2 FMA3 AVX512F AVX512CD AVX512_SKX"
"""Names of what NumPy may take from a processor, newer and older ones; it heeds those it knows."""

KERNELS = {
    "Haswell": {"OPENBLAS_CORETYPE": "Haswell", "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512F AVX512_SKX"},
    "Zen": {"OPENBLAS_CORETYPE": "Zen"},
    "SkylakeX": {"OPENBLAS_CORETYPE": "SkylakeX"},
    # A processor without AVX: for OpenBLAS, for NumPy, and for the logarithms of the C library.
    "Prescott": {
        "OPENBLAS_CORETYPE": "Prescott",
        "NPY_DISABLE_CPU_FEATURES": OLD,
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX,-AVX2,-FMA,-FMA4,-AVX512F",
    },
}

if __name__ == "__main__":
    sys.stdout.write(" ".join(f"{name}={shlex.quote(value)}" for name, value in KERNELS[sys.argv[1]].items()))
