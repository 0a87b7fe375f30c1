"""The stages of training, one file each, and all of them in a row."""
