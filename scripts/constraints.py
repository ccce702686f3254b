"""Write constraints.txt: the versions in which this project, with everything optional, is tested.

    python scripts/constraints.py                      the newest versions that fit together
    python scripts/constraints.py -c constraints.txt   keep what is pinned, add what is new

Resolves pyproject.toml without installing anything. Run the tests with the new file before you
commit it.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HEADER = """\
# The versions that were tested, on Linux with Python {version}. Written by scripts/constraints.py.
# pip install -c constraints.txt ".[all]"
"""


def main() -> None:
    """Resolve, and write the file."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        pip = [sys.executable, "-m", "pip", "install", "-q", "--dry-run", "--ignore-installed"]
        # hatchling builds the package and is no dependency of it: name it, so that it is pinned.
        wanted = [".[dev,pyqt6,pyside6]", "hatchling"]
        subprocess.run([*pip, "--report", report, *sys.argv[1:], *wanted], cwd=ROOT, check=True)
        found = [item["metadata"] for item in json.loads(report.read_text())["install"]]
    # A local version ("+cpu") names one build; the plain one fits them all.
    pins = {item["name"]: item["version"].partition("+")[0] for item in found}
    pins.pop("napari-ssrvae")
    lines = [f"{name}=={pins[name]}\n" for name in sorted(pins, key=str.lower)]
    header = HEADER.format(version=f"{sys.version_info.major}.{sys.version_info.minor}")
    (ROOT / "constraints.txt").write_text(header + "".join(lines))


if __name__ == "__main__":
    main()
