"""What is done with all slices of a stack, and with each as it comes onto the screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer, Signal

from napari_ssrvae.library.history import Whole
from napari_ssrvae.viewer import steps
from napari_ssrvae.viewer.layers import refuse_empty

if TYPE_CHECKING:
    from napari.layers import Labels

    from napari_ssrvae.imaging import SegmentationSettings
    from napari_ssrvae.imaging.slices import Index
    from napari_ssrvae.library.micrograph_state import LabelImage
    from napari_ssrvae.viewer.stacks import Stack
    from napari_ssrvae.viewer.workbench import Workbench

KIND = "find in all"
LIVE = "live slice"
PAUSE_MS = 150
"""How long a slice stays on the screen before it is classified by itself."""


class StackWork(QObject):
    """Finds particles in all slices; classifies the one on the screen while the model is armed.

    Parameters
    ----------
    workbench : Workbench
        Its session, stacks and jobs.
    """

    progress = Signal(int, int)  # slices done, slices in all

    def __init__(self, workbench: Workbench) -> None:
        super().__init__(workbench)
        self.workbench, self.session, self.stacks = workbench, workbench.session, workbench.stacks
        self._pause = QTimer(self, singleShot=True, interval=PAUSE_MS)
        self._pause.timeout.connect(self._classify_shown)
        self.stacks.stepped.connect(self._on_stepped)

    # -- all slices ------------------------------------------------------------------------
    def open_slices(self, settings: SegmentationSettings) -> list[Index]:
        """Return the slices of the active stack in which these settings have not been used.

        From the one on the screen on, so that the person sees what comes of it.
        Without those whose particles a person corrected or took from elsewhere: they would be lost.
        """
        stack = self.stacks.of(self.session.active_key)
        if stack is None:
            return []
        done = {
            index
            for index, state in self.stacks.states(stack).items()
            if state.labels is not None and (state.by_hand or state.recipe == settings)
        }
        wanted = [index for index in stack.reader.indices() if index not in done]
        here = self.stacks.on_screen(stack)
        return sorted(wanted, key=lambda index: index < here)

    def find_in_all(self, settings: SegmentationSettings) -> None:
        """Segment all slices of the active stack, in the background."""
        stack = self.stacks.of(self.session.active_key)
        wanted = self.open_slices(settings)
        if stack is None:
            return
        if not wanted:
            self.workbench.tell(f"All slices of {stack.reader.name} have their particles already.")
            return
        title = f"find particles in {len(wanted)} slices of {stack.reader.name}"
        self._start(stack, title, steps.find_in_slices, wanted, settings, recipe=settings)

    def use_labels_layer(self, stack: Stack, layer: Labels) -> None:
        """Take the particles of a stack, or of the slice on the screen, from a Labels layer."""
        wanted = self.stacks.slices_of(stack, layer)
        if wanted is None:
            here = (*stack.reader.leading, *stack.reader.shape)
            self.workbench.refuse(
                f"The Labels layer {layer.name} is {_times(layer.data.shape)} but the stack "
                f"{_times(here)}: choose one of the same stack, or of one slice of it."
            )
            return
        title = f"use {layer.name} as particles"
        if layer.ndim == 2:
            refuse_empty(layer.name, layer.data)
            key = self.stacks.key_at(stack, self.stacks.on_screen(stack))
            self.session.set_particles(key, layer.data, name=title)
        else:
            self._start(stack, title, steps.take_slices, list(wanted), layer.data, recipe=None)
        layer.visible = False  # ours shows the same

    def _start(
        self,
        stack: Stack,
        title: str,
        function: Any,
        wanted: Sequence[Index],
        *args: Any,
        recipe: SegmentationSettings | None,
    ) -> None:
        self.workbench.mirror.flush()
        self.progress.emit(0, len(wanted))
        before = {index: state.labels for index, state in self.stacks.states(stack).items()}
        spared: set[Index] = set()
        self.workbench.jobs.start(
            KIND,
            function,
            stack.reader,
            wanted,
            *args,
            title=title[0].upper() + title[1:],
            on_yield=partial(self._on_found, stack, Whole(title), recipe, before, spared),
            on_done=partial(self._on_done, stack, len(wanted), spared),
            stoppable=True,
        )

    def stop(self) -> None:
        """End after the slice in work; what was found stays."""
        self.workbench.jobs.ask_to_stop(KIND)

    def _on_found(
        self,
        stack: Stack,
        whole: Whole,
        recipe: SegmentationSettings | None,
        before: Mapping[Index, LabelImage | None],
        spared: set[Index],
        found: steps.FoundSlice | None,
    ) -> None:
        if self.stacks.of_layer(stack.layer) is not stack:
            self.workbench.jobs.cancel(KIND)  # the stack was removed
            return
        if found is None:
            return
        if found.labels is not None:
            self.workbench.mirror.flush()
            key = self.stacks.key_at(stack, found.index, found.micrograph)
            if self.session.micrographs[key].made_by_hand_since(before.get(found.index)):
                spared.add(found.index)
            else:
                with self.session.history.part_of(whole):
                    self.session.set_particles(key, found.labels, recipe=recipe)
        self.progress.emit(found.done, found.total)

    def _on_done(self, stack: Stack, wanted: int, spared: set[Index], done: int) -> None:
        if self.stacks.of_layer(stack.layer) is not stack:
            return
        states = self.stacks.states(stack).values()
        particles = sum(state.particle_ids.size for state in states)
        text = f"{stack.reader.name} has {particles:,} particles now"
        if not particles:
            text = (
                f"No particles were found in {stack.reader.name}: try another method, polarity or "
                "a smaller minimum size"
            )
        if done < wanted:
            text += f"; stopped after {done} of {wanted} slices"
        if spared:
            text += f"; what you corrected meanwhile in {_slices(len(spared))} stays as it is"
        self.workbench.tell(f"{text}.")

    # -- the slice on the screen -----------------------------------------------------------
    def _on_stepped(self, _key: int) -> None:
        if self.workbench.armed and self.session.workflow is not None:
            self._pause.start()

    def _classify_shown(self) -> None:
        key, state = self.session.active_key, self.session.active
        if key is None or state is None or self.stacks.of(key) is None:
            return
        if not self.workbench.armed or self.session.workflow is None:
            return
        if state.labels is None:
            self.workbench.classifying.find_too(key, kind=LIVE)
        elif state.particle_ids.size and state.predictions is None:
            self.workbench.classifying.active(kind=LIVE)

    def shutdown(self) -> None:
        """Stop waiting."""
        self._pause.stop()


def _slices(count: int) -> str:
    return f"{count} slice{'' if count == 1 else 's'}"


def _times(shape: Sequence[int]) -> str:
    return " x ".join(str(n) for n in shape)
