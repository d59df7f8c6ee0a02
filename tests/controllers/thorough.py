"""What takes longer than a check of every change may take."""

import os

import pytest

thorough = pytest.mark.skipif(
    not os.environ.get("SAMPAN_PROOF_FAULTS"), reason="takes longer: SAMPAN_PROOF_FAULTS=1 runs it"
)
