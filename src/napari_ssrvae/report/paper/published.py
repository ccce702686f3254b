"""What the paper reports, as numbers: Ziatdinov et al., Digital Discovery 2024, 3, 1213.

Read from its text and figures and from the notebooks that it publishes with them.
"""

from __future__ import annotations

LABELLED_ANGLE = 4.0
"""Degrees to either side by which its labelled cards are turned (Fig. 2a)."""

ANGLE, SHEAR, SHIFT = 60.0, 0.23, 0.1
"""Its unlabelled cards: degrees and shear to either side, fractions of the frame (Fig. 2b)."""

UNLABELLED, LABELLED, TEST = 3000, 200, 1000
"""Its cards of each suit: unlabelled, labelled and in the test set."""

GOLD_COUNTS = (304, 93, 49, 31)
"""Its images of agglomerates of 1, 2, 3 and 4 gold nanoparticles."""

GOLD_LABELLED = 15
"""Labelled images of each of these classes."""

CHANCE = 0.25

# Fig. 3a says more than 75 % for 4° < a < 90°; ss-VAE "just slightly above a random guess".
ROBUST_ACCURACY = 0.75
ROBUST_UP_TO = 90.0

ACCURACY = 0.87
"""Of the ss-rVAE on cards at ±60° after 100 epochs."""

# Fig. 4a: the trained model by test shear (rows) and test angle (columns, degrees).
TEST_ANGLES = (0.0, 24.0, 60.0, 84.0, 120.0, 180.0)
TEST_SHEARS = (0.0, 0.219, 0.312, 0.469)
ACCURACY_BY_SHEAR_AND_ANGLE = (
    (0.997, 0.946, 0.880, 0.790, 0.744, 0.692),
    (0.977, 0.944, 0.873, 0.780, 0.717, 0.666),
    (0.959, 0.924, 0.842, 0.745, 0.673, 0.631),
    (0.842, 0.790, 0.714, 0.639, 0.566, 0.545),
)

# Fig. 4b: clubs, spades, hearts, diamonds at 23 % shear and ±60°.
CARD_RECALL = (0.92, 0.97, 0.62, 0.997)

# Fig. 4e: flat up to 0.4.
ACCURACY_BY_NOISE = {0.0: 0.87, 0.4: 0.87, 1.0: 0.70, 10.0: 0.30}

# Fig. 4f: safe to a density of 5-10 %; the far corner.
SAFE_DENSITY = 0.1
ACCURACY_AT_WORST_CONTAMINATION = 0.25

GOLD_RECALL = 0.6
"""Fig. 6f: the recall of every class is above this."""
