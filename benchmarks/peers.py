"""The environment that the peers live in, made on first use.

python benchmarks/peers.py     make it, print its folder
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import venv
from pathlib import Path

import platformdirs

LIST = Path(__file__).with_name("peers.txt")


def peer_folder() -> Path:
    """Folder with the peers' executables."""
    digest = hashlib.sha256(LIST.read_bytes()).hexdigest()[:12]
    root = platformdirs.user_cache_path("medrecon-benchmarks") / f"peers-{digest}"
    scripts = root / ("Scripts" if sys.platform == "win32" else "bin")
    if not (root / "complete").exists():
        venv.create(root, with_pip=True, clear=True)
        install = [scripts / "python", "-m", "pip", "install", "-q", "-r", LIST]
        subprocess.run(install, check=True, stdout=sys.stderr)
        (root / "complete").touch()
    return scripts


if __name__ == "__main__":
    print(peer_folder())
