"""What to run: a spec, its grids, and the plan of trials with their ids. No torch, no Ray."""
