"""The public names, with and without GalSim."""

import subprocess
import sys

import pytest

import secondlight.simulate as simulate


@pytest.mark.parametrize("name", simulate.__all__)
def test_public_names(name):
    assert getattr(simulate, name).__name__ == name


def test_unknown_names_are_refused():
    with pytest.raises(AttributeError, match="no_such_thing"):
        _ = simulate.no_such_thing


def test_without_galsim_only_the_making_fails():
    code = """
import sys
sys.modules["galsim"] = None
from secondlight.errors import UsageError
from secondlight.simulate import compare_with_truth, draw_picture
try:
    from secondlight.simulate import simulate_visit
except UsageError as error:
    print(error)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "secondlight[sim]" in run.stdout
