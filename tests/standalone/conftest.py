import sys
from pathlib import Path

tests = Path(__file__).parents[1]
sys.path[:0] = [str(tests / "standalone"), str(tests / "master"), str(tests / "storage")]
