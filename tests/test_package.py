"""The package as a whole: what importing it costs, what it needs, what it ships."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib import metadata, resources
from pathlib import Path

import pytest
import yaml
from npe2 import PluginManifest
from packaging.requirements import Requirement

import napari_ssrvae as nsv

ROOT = Path(__file__).parents[1]
QT_BINDINGS = {"pyqt5", "pyqt6", "pyside2", "pyside6"}
# The names that users build on: none may vanish.
PUBLIC = [
    "read_micrograph",
    "Micrograph",
    "segment_particles",
    "SegmentationSettings",
    "extract_particles",
    "Particles",
    "PatchSettings",
    "SSRVAE",
    "Latents",
    "Workflow",
    "ParticleClass",
    "ParticleLibrary",
    "Session",
    "datasets",
    "datasets.cards",
    "datasets.simulated_micrograph",
    "errors",
    "errors.ParticleError",
]


def modules_after(statement: str) -> set[str]:
    """Top-level modules that a fresh interpreter holds after a statement."""
    program = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    return {name.partition(".")[0] for name in json.loads(done.stdout)}


def requirements(extra: str = "") -> list[Requirement]:
    """Requirements of the installed package, or those that one of its extras adds."""
    found = [Requirement(line) for line in metadata.requires("napari-ssrvae") or []]
    if not extra:
        return [r for r in found if "extra" not in str(r.marker)]
    named = re.compile(rf"extra == ['\"]{extra}['\"]")
    return [r for r in found if named.search(str(r.marker))]


def pins() -> dict[str, str]:
    """Versions in constraints.txt by normalised name."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {normalised(name): version for name, version in pairs}


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = {"torch", "pyro", "napari", "qtpy", "pyqtgraph", "PyQt6", "PySide6"}
    heavy |= {"numpy", "pandas", "scipy", "skimage", "sklearn", "matplotlib"}
    assert not modules_after("import napari_ssrvae") & heavy


def test_finding_particles_loads_neither_torch_nor_qt() -> None:
    loaded = modules_after("import napari_ssrvae as n; n.read_micrograph; n.extract_particles")
    assert "numpy" in loaded
    assert not loaded & {"torch", "pyro", "napari", "qtpy", "pyqtgraph", "PyQt6", "PySide6"}


def test_training_and_saving_load_neither_napari_nor_qt() -> None:
    loaded = modules_after("import napari_ssrvae as n; n.SSRVAE; n.Workflow; n.ParticleLibrary")
    assert "torch" in loaded
    assert not loaded & {"napari", "qtpy", "pyqtgraph", "PyQt6", "PySide6"}


@pytest.mark.parametrize("name", PUBLIC)
def test_public_name_resolves(name: str) -> None:
    found: object = nsv
    for part in name.split("."):
        found = getattr(found, part)
    assert found is not None


def test_what_the_package_offers_is_what_it_has() -> None:
    for name in nsv.__all__:
        assert getattr(nsv, name) is not None
    assert {name for name in PUBLIC if "." not in name} == set(nsv.__all__)


def test_base_dependencies_hold_no_qt_binding() -> None:
    base = requirements()
    assert "napari" in {r.name for r in base}
    for requirement in base:
        assert normalised(requirement.name) not in QT_BINDINGS
        assert not requirement.extras, f"{requirement} may bring Qt in by the back door"


def test_the_extra_all_holds_exactly_one_qt_binding() -> None:
    bindings = [extra for r in requirements("all") for extra in r.extras if extra in QT_BINDINGS]
    assert len(bindings) == 1
    assert [r.extras for r in requirements(bindings[0])] == [set(bindings)]


def test_constraints_pin_every_dependency_to_a_version_that_is_allowed() -> None:
    pinned = pins()
    names = ("formats", "test", "docs", "dev", "pyqt6", "pyside6")
    extras = [r for extra in names for r in requirements(extra)]
    for requirement in requirements() + extras:
        name = normalised(requirement.name)
        if name != "napari-ssrvae":
            assert requirement.specifier.contains(pinned[name]), requirement
    # A local version ("+cpu") would tie everybody to one build.
    assert not [version for version in pinned.values() if "+" in version]


def test_versions_agree() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert nsv.__version__ == metadata.version("napari-ssrvae") == citation["version"]


def test_citation_names_the_paper() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert [r["doi"] for r in citation["references"]] == ["10.1039/d3dd00196b"]


def test_continuous_integration_runs_the_command_of_the_readme() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    command = script.splitlines()[-1]
    assert f"```sh\n{command}\n```" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["py.typed", "napari.yaml", "report/report.html.j2"])
def test_data_file_is_installed(name: str) -> None:
    assert resources.files("napari_ssrvae").joinpath(name).is_file()


def test_manifest_is_valid_and_every_command_can_be_imported() -> None:
    manifest = PluginManifest.from_distribution("napari-ssrvae")
    manifest.validate_imports()
    assert manifest.contributions.widgets
    assert manifest.contributions.sample_data
    assert manifest.contributions.readers
    assert manifest.contributions.writers
