"""DER++: Dark Experience Replay that also learns the labels of remembered examples.

Buzzega et al. 2020 (Dark Experience for General Continual Learning), algorithm 2 and equation 6: to the loss
of `cl.methods.der` comes the cross-entropy of a second, independent mini-batch from the same memory,

    L = L_task(theta) + alpha E_{(x, z) ~ M} ||z - h_theta(x)||^2 + beta E_{(x, y) ~ M} CE(y, h_theta(x)).
"""

from __future__ import annotations

from cl.methods.der import DER
from cl.registry import DERppSettings


class DERpp(DER):
    """Keep answering remembered examples as they were answered, and rightly."""

    Settings = DERppSettings
    settings: DERppSettings

    @property
    def share(self) -> float:
        """Beta."""
        return self.settings.beta
