"""What every training stage runs on: the loop, its run folder, averaged weights, processes, the adversarial game."""
