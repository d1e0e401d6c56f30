"""A readable twin of the sampling of PSFEx models (spec 11.4)."""

import numpy as np


def twin_axis(size, out_size, offset, step):
    """Weights of all the model's pixels for each output pixel."""
    weights = np.zeros((out_size, size))
    for j in range(out_size):
        x = size // 2 - offset * step - (out_size // 2) * step + j * step
        if not 0 <= x < size:
            continue
        for i in range(max(0, int(x) - 6), min(size, int(x) + 6)):
            u = i - x
            if abs(u) < 1e-5:
                weights[j, i] = 1.0
            elif abs(u) <= 5:
                weights[j, i] = np.sin(np.pi * u) * np.sin(np.pi * u / 5) / (np.pi**2 * u**2 / 5)
        total = weights[j].sum()
        weights[j] *= 1 / total if total > 0 else 1.0
    return weights
