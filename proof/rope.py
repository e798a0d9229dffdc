"""How Llama 3.1 stretches its rotations, as llama.cpp reads it from a file."""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray


def find_divisors(head_dim: int, theta: float, scaling: Mapping[str, float]) -> NDArray[np.float32]:
    """What each pair of a head's dimensions has its frequency divided by: `rope_freqs.weight`.

    Waves shorter than the original context's part by `high_freq_factor` stay as they are; those
    longer than its part by `low_freq_factor` turn `factor` times slower; in between the frequency
    is a mean of both, weighed by how many waves the original context held.
    """
    frequencies = theta ** -(np.arange(0, head_dim, 2) / head_dim)
    waves = scaling["original_max_position_embeddings"] * frequencies / (2 * math.pi)
    low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
    kept = np.clip((waves - low) / (high - low), 0, 1)
    return (1 / (kept + (1 - kept) / scaling["factor"])).astype(np.float32)
