"""Set everything up and run the demo or the tests, on a fresh machine, with one command.

    python3 scripts/dev.py demo         install into .venv, then run the demo
    python3 scripts/dev.py test         install tox into .venv, then run all checks and tests
    python3 scripts/dev.py libraries    only bring in the system libraries (Linux)

Further arguments go to the program that is run: ``dev.py test -e lint``, ``dev.py demo image.tif``.
Needs nothing but Python 3.11 or newer and pip.
"""

import ctypes
import importlib.util
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
LINUX = sys.platform.startswith("linux")

# What Qt loads at run time on X11 and its wheels do not bring, by the Debian package that does.
# The library itself is looked for, not the package: that also answers on other distributions.
LIBRARIES = {
    "libegl1": "libEGL.so.1",
    "libgl1": "libGL.so.1",
    "libdbus-1-3": "libdbus-1.so.3",
    "libfontconfig1": "libfontconfig.so.1",
    "libglib2.0-0": "libglib-2.0.so.0",
    "libx11-xcb1": "libX11-xcb.so.1",
    "libxkbcommon0": "libxkbcommon.so.0",
    "libxkbcommon-x11-0": "libxkbcommon-x11.so.0",
    "libxcb-cursor0": "libxcb-cursor.so.0",
    "libxcb-glx0": "libxcb-glx.so.0",
    "libxcb-icccm4": "libxcb-icccm.so.4",
    "libxcb-image0": "libxcb-image.so.0",
    "libxcb-keysyms1": "libxcb-keysyms.so.1",
    "libxcb-randr0": "libxcb-randr.so.0",
    "libxcb-render-util0": "libxcb-render-util.so.0",
    "libxcb-shape0": "libxcb-shape.so.0",
    "libxcb-xkb1": "libxcb-xkb.so.1",
}
PROGRAMS = {"xvfb": "Xvfb", "xauth": "xauth"}
# napari's canvas needs OpenGL, which Qt's own "offscreen" platform lacks; Xvfb has it.
VIRTUAL_SCREEN = ["xvfb-run", "-a", "-s", "-screen 0 1600x1000x24"]


def main() -> int:
    """Run the command that was asked for and answer its exit status."""
    if sys.version_info < (3, 11):  # noqa: UP036 - run by whatever Python is at hand
        return say(f"Python 3.11 or newer is needed; this is {sys.version.split()[0]}.", 2)
    commands = {"demo": demo, "test": test, "libraries": libraries}
    if len(sys.argv) < 2 or sys.argv[1] not in commands:
        return say(__doc__.strip(), 2)
    return commands[sys.argv[1]](sys.argv[2:])


def demo(arguments: list[str]) -> int:
    """Install the package and run its demo, in a window where there is a display."""
    libraries([])
    install(".[all]")
    program = [VENV_PYTHON.parent / "napari-ssrvae", "demo"]
    headless = "--headless" in arguments
    if not has_display() and not headless:
        say("There is no display: running the demo without a window, results in demo-out/.")
        program.append("--headless")
        headless = True
    if headless and not any(one.startswith("--out") for one in arguments):
        program += ["--out", "demo-out"]
    return run([*program, *arguments])


def test(arguments: list[str]) -> int:
    """Install tox and run it, under a virtual screen where there is no display."""
    libraries([])
    install("tox")
    tox = [VENV_PYTHON, "-m", "tox", *arguments]
    # installing waits for the network more than it computes: all environments at once
    run([*tox[:3], "run-parallel", "--parallel-no-spinner", "--notest", *arguments])
    if has_display():
        return run(tox)
    if shutil.which("xvfb-run") and shutil.which("Xvfb"):
        return run([*VIRTUAL_SCREEN, *tox])
    say("There is neither a display nor Xvfb: the tests of the viewer will fail.")
    return run(tox)


def libraries(_arguments: list[str]) -> int:
    """Bring in the system libraries that Qt and Xvfb need, or say how; never stops what follows."""
    missing = missing_packages() if LINUX else []
    if not missing:
        return 0
    apt = shutil.which("apt-get")
    if apt is None:
        return say(f"These libraries, by their Debian names, are missing: {' '.join(missing)}.", 1)
    if os.geteuid() != 0:
        say("System libraries are missing. Install them with this line, then run this again:")
        return say(f"  sudo apt-get update && sudo apt-get install -y {' '.join(missing)}", 1)
    say(f"Installing system libraries that Qt and Xvfb need: {' '.join(missing)}")
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    run([apt, "update", "-q"])
    failed = run([apt, "install", "-y", "-q", "--no-install-recommends", *missing])
    if failed:
        say("apt-get could not install them: going on without. Windows and their tests may fail.")
    return failed


def missing_packages() -> list[str]:
    """Debian packages whose library or program this machine lacks."""
    missing = [package for package, program in PROGRAMS.items() if not shutil.which(program)]
    for package, library in LIBRARIES.items():
        try:
            ctypes.CDLL(library)
        except OSError:
            missing.append(package)
    return missing


def install(requirement: str) -> None:
    """Install into .venv, in the versions that were tested."""
    if not VENV_PYTHON.exists():
        say(f"Making {VENV}")
        # Debian keeps ensurepip in a package of its own; the pip at hand can stand in for it.
        bundled = importlib.util.find_spec("ensurepip") is not None
        venv.create(VENV, with_pip=bundled, symlinks=os.name != "nt")
        if not bundled:
            run([sys.executable, "-m", "pip", "--python", VENV_PYTHON, "install", "-q", "pip"])
    say(f"Installing {requirement} into .venv (the first time takes some minutes)")
    pip = [VENV_PYTHON, "-m", "pip", "install", "-q", "-c", "constraints.txt"]
    failed = run([*pip, requirement])
    if failed:
        sys.exit(failed)


def has_display() -> bool:
    """Whether a window can be opened."""
    return not LINUX or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def run(command: list[object]) -> int:
    """Run a command in the repository's root and answer its exit status."""
    return subprocess.call([os.fspath(part) for part in command], cwd=ROOT)


def say(text: str, status: int = 0) -> int:
    """Print at once, in order with what the programs that are run print."""
    print(text, flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
