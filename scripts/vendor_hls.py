"""Fetch a release of hls.js from npm into the page: ``python scripts/vendor_hls.py 1.7.4``. Needs npm."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

VENDOR = Path(__file__).parents[1] / "videodb_cli" / "page" / "assets" / "vendor"


def main(version: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        command = ["npm", "pack", f"hls.js@{version}", "--pack-destination", directory]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        (package,) = Path(directory).glob("hls.js-*.tgz")
        with tarfile.open(package) as archive:
            script = archive.extractfile("package/dist/hls.light.min.js")
            licence = archive.extractfile("package/LICENSE")
            assert script is not None
            assert licence is not None
            content = script.read()
            (VENDOR / "hls.light.min.js").write_bytes(content)
            (VENDOR / "hls.js.LICENSE").write_bytes(licence.read())
    readme = VENDOR / "README.md"
    text = re.sub(r"hls\.js \d[\w.]*,", f"hls.js {version},", readme.read_text())
    readme.write_text(re.sub(r"`[0-9a-f]{64}`", f"`{hashlib.sha256(content).hexdigest()}`", text))


if __name__ == "__main__":
    main(sys.argv[1])
