"""Counting needs nothing but Python: on AWS it runs in a function that carries no framework."""

import subprocess
import sys

from tests.processes import ROOT


def test_counting_and_merging_import_nothing_but_the_standard_library():
    program = (
        "import sys; before = set(sys.modules);"
        "import polls.tallies.tally, polls.surveys.merge, polls.ballots.vote_ids;"
        "names = {name.partition('.')[0] for name in set(sys.modules) - before};"
        "print(*sorted(names - set(sys.stdlib_module_names)))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["polls"]
