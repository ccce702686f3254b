"""How long `import napari_ssrvae` takes in a fresh interpreter, beyond starting the interpreter.

    python benchmarks/import_time.py

Prints a table and writes benchmarks/results/import_time.json. Target: under 0.2 s.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

RESULT = Path(__file__).parent / "results" / "import_time.json"
TARGET = 0.2
STATEMENTS = {
    "interpreter alone": "pass",
    "napari_ssrvae": "import napari_ssrvae",
    "napari_ssrvae.imaging, used": "import napari_ssrvae; napari_ssrvae.read_micrograph",
    "napari_ssrvae.learning, used": "import napari_ssrvae; napari_ssrvae.SSRVAE",
}


def seconds(statement: str) -> float:
    """Wall time of a fresh interpreter that runs one statement."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True)
    return time.perf_counter() - start


def measure(runs: int) -> dict[str, float]:
    """Median seconds of each statement, beyond the interpreter's own.

    The statements take turns, so that a slow moment of the machine hits all of them alike. The
    first round fills the caches (files, bytecode) and is not counted.
    """
    times: dict[str, list[float]] = {name: [] for name in STATEMENTS}
    for _ in range(runs + 1):
        for name, statement in STATEMENTS.items():
            times[name].append(seconds(statement))
    medians = {name: statistics.median(values[1:]) for name, values in times.items()}
    alone = medians.pop("interpreter alone")
    return {name: median - alone for name, median in medians.items()}


def main() -> int:
    """Measure, print, write; 1 where the target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=15, help="fresh interpreters a statement")
    runs = parser.parse_args().runs
    results = measure(runs)
    print(f"{'import of':32}{'median of ' + str(runs):>16}")
    for name, value in results.items():
        print(f"{name:32}{value:14.3f} s")
    met = results["napari_ssrvae"] < TARGET
    print(f"target for napari_ssrvae: < {TARGET} s: {'met' if met else 'MISSED'}")
    RESULT.parent.mkdir(exist_ok=True)
    content = {
        "python": platform.python_version(),
        "machine": platform.platform(),
        "runs": runs,
        "target_s": TARGET,
        "median_s": results,
    }
    RESULT.write_text(json.dumps(content, indent=2) + "\n")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
