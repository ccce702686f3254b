"""The commands in napari's menus and palette, run as napari runs them."""

from __future__ import annotations

from typing import Any

from napari._app_model import get_app_model
from npe2 import PluginManager

from napari_ssrvae.viewer.dock import ParticleClassifier


def docks(viewer: Any) -> list[ParticleClassifier]:
    return [w for w in viewer.window.dock_widgets.values() if isinstance(w, ParticleClassifier)]


def run(command: str) -> None:
    get_app_model().commands.execute_command(f"napari-ssrvae.{command}").result()


def test_commands_act_on_the_dock_and_open_it_first(
    make_napari_viewer: Any, qtbot: Any, spheres: Any
) -> None:
    from napari_ssrvae.viewer.panels.keys import KeysDialog

    viewer = make_napari_viewer(show=True)
    viewer.add_image(spheres, name="spheres")
    assert docks(viewer) == []
    run("find_particles")
    (dock,) = docks(viewer)
    session, jobs = dock.session, dock.workbench.jobs
    qtbot.waitUntil(lambda: not jobs.running("find"), timeout=30_000)
    assert session.active.particle_ids.size == 35
    for command, answer in (
        ("train", "Click a few particles"),
        ("next_to_label", "Train a model first"),
        ("accept", "Train a model first"),
        ("classify", "no model yet"),
        ("export", "No particle is classified yet"),
    ):
        dock.show_message("")
        run(command)
        assert answer in dock.banner.text()
    viewer.window._wrapped_dock_widgets["Particle classifier (napari-ssrvae)"].hide()
    run("show_keys")
    assert docks(viewer) == [dock]
    assert dock.isVisible()
    qtbot.wait(10)
    (dialog,) = dock.findChildren(KeysDialog)
    assert dialog.isVisible()
    run("show_views")
    assert dock.views is not None
    dock.shutdown()
    qtbot.wait(10)


def test_every_command_reaches_the_palette_and_its_menus_exist(make_napari_viewer: Any) -> None:
    from napari._app_model.constants._menus import is_menu_contributable

    make_napari_viewer()
    manifest = PluginManager.instance().get_manifest("napari-ssrvae")
    commands = get_app_model().commands
    for contributed in manifest.contributions.commands:
        if "commands:" in contributed.python_name:
            assert commands[contributed.id].title.startswith("Particle classifier: ")
    for menu, items in manifest.contributions.menus.items():
        assert is_menu_contributable(menu)
        assert all(
            item.command in {c.id for c in manifest.contributions.commands} for item in items
        )
