"""What to do next, as sentences: pure functions of the session, so that tests need no window."""

from __future__ import annotations

from napari_ssrvae.library.session import Session


def next_step(session: Session) -> str:
    """Return the one sentence that says what the person does next."""
    state = session.active
    if state is None:
        return "Drop a micrograph onto the window, or start with the simulated sample."
    if state.labels is None:
        return "Find the particles, or choose a Labels layer that already holds them."
    if not state.particle_ids.size:
        return "No particles were found: try another method, polarity or a smaller minimum size."
    if session.workflow is None:
        return missing_for_training(session) or "Train the model; more labels can follow later."
    if state.predictions is None:
        return "These particles are not classified yet: classify them with the trained model."
    return "Look at the result: correct labels and train again, open new micrographs, or export."


def missing_for_training(session: Session) -> str | None:
    """Return what is missing before a model can be trained, or None."""
    counts = {c.id: session.hand_counts()[c.id] for c in session.classes}
    labelled = [c for c in session.classes if counts[c.id]]
    if not any(state.particle_ids.size for state in session.micrographs.values()):
        return "Find the particles first: there is nothing to train on."
    if not labelled:
        return "Click a few particles of each class: three to five each are a good start."
    if len(labelled) < 2:
        return (
            f"Only {labelled[0].name} has labels: label particles of at least two classes, "
            "so that the model can tell them apart."
        )
    return None


def advice_for_training(session: Session) -> str:
    """Return a remark on the labels so far, empty if there is nothing to say."""
    counts = session.hand_counts()
    single = [c.name for c in session.classes if counts[c.id] == 1]
    unused = [c.name for c in session.classes if counts[c.id] == 0]
    remarks = []
    if single:
        remarks.append(
            f"{_join(single)} {'has' if len(single) == 1 else 'have'} a single label: "
            "it works, three to five are safer."
        )
    if unused:
        remarks.append(
            f"{_join(unused)} {'has' if len(unused) == 1 else 'have'} no label and will "
            "not be predicted."
        )
    known = [
        (state.micrograph.name, state.micrograph.pixel_size)
        for state in session.micrographs.values()
        if state.particle_ids.size
    ]
    unknown = [name for name, size in known if size is None]
    if unknown and len(unknown) < len(known):
        remarks.append(
            f"The pixel size of {_join(unknown[:3])} is unknown, that of other micrographs is "
            "not: type it in, or particles of different magnification are compared."
        )
    return " ".join(remarks)


def _join(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
