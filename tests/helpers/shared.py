"""Where the recorded runs and the real data lie, beside the project's checkout."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2].parent / "shared"

needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(),
    reason=f"recorded runs and real data are not beside the checkout (looked for {SHARED.name}/)",
)


def reference(*parts: str) -> Path:
    """Path inside the recorded runs."""
    return SHARED.joinpath("reference", *parts)


def realdata(*parts: str) -> Path:
    """Path inside the real data."""
    return SHARED.joinpath("realdata", *parts)
