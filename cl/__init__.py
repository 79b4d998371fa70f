"""Continual learning itself: streams, models, methods, metrics and the one training loop."""
