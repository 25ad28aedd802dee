"""The mutants follow the code; `python -m tests.mutants` runs the tests against each, and CI does."""

from __future__ import annotations

from tests import mutants


def test_every_mutant_applies_to_the_source():
    for name, mutant in mutants.MUTANTS.items():
        source = (mutants.ROOT / "axiom_trio" / mutant.file).read_text()
        assert source.count(mutant.old) == 1, f"{name}: its text must be found once in {mutant.file}"
