import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from cluster import cluster, timeless

__all__ = ["cluster", "timeless"]
