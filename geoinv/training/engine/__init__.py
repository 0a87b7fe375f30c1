"""The engine that trains every stage: runs and their folders, the loop, averaged weights, processes, the adversary."""
