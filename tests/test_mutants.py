"""The tests have teeth: see `mutants.py`."""

from __future__ import annotations

import os

import pytest

from tests import mutants


def test_every_mutant_applies_to_the_source():
    for name, mutant in mutants.MUTANTS.items():
        source = (mutants.ROOT / "axiom_trio" / mutant.file).read_text()
        assert source.count(mutant.old) == 1, f"{name}: its text must be found once in {mutant.file}"


@pytest.mark.slow
@pytest.mark.parametrize("name", mutants.MUTANTS)
@pytest.mark.skipif("AXIOM_MUTANT" in os.environ, reason="this is a mutant")
def test_mutant_is_caught(name):
    result = mutants.run(name)
    assert result.startswith("caught"), result
