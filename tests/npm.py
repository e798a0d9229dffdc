"""Packages of npm for tests, put beside the scripts that use them, once."""

import fcntl
import shutil
import subprocess
from pathlib import Path

from tests.acceptance.missing import give_up


def ensure_packages(folder: Path) -> str:
    """Node, with the packages of the folder's `package-lock.json` installed in it.

    Tests in other processes wait meanwhile. Gives up where there is no node, or no index.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        give_up("node and npm are not installed")
    with (folder / "package.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _installed(folder):
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
            if done.returncode:
                give_up(f"npm ci failed: {done.stderr[-500:]}")
    return str(node)


def _installed(folder: Path) -> bool:
    """Whether `npm ci` has run since the lock changed (npm leaves a lock of its own behind)."""
    lock, mark = folder / "package-lock.json", folder / "node_modules" / ".package-lock.json"
    return mark.exists() and mark.stat().st_mtime >= lock.stat().st_mtime
