"""TriPlaneNet (Bhattarai et al., WACV 2024): an encoder for EG3D's generators that also finds offsets of their planes.

Written from the paper and from what the authors' repository (https://github.com/anantarb/triplanenet, MIT, Copyright
(c) 2023 Ananta Raj Bhattarai) says of networks and names, so that the released weights fit; nothing of it is copied.
"""
