"""`sampan`: see `sampan_cli.cli` for the list of verbs."""

from __future__ import annotations

import sys


def main(argv: list[str] | None = None) -> int:
    from sampan_cli.cli import run

    return run(sys.argv[1:] if argv is None else argv)


if __name__ == "__main__":
    sys.exit(main())
