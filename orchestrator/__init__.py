"""Runs trials: on Ray Tune, or in this process; the only folder that imports ray."""
