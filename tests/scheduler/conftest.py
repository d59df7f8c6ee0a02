import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "controllers"))
from cluster import cluster, timeless

__all__ = ["cluster", "timeless"]
