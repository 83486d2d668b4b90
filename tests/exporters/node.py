"""Runs a page's JavaScript in Node.js, where that is installed."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed")


def printed_by(script: Path, *arguments: Path):
    """Returns the JSON that a script prints."""
    result = subprocess.run(["node", script, *arguments], check=True, capture_output=True, timeout=60)
    return json.loads(result.stdout)
