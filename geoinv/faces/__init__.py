"""Networks that look at faces: whose face it is, its expression, its apparent age and gender.

They measure (`geoinv eval`), bound edits (``--keep-identity``), score samples for directions, and are in losses:
identity in that of ``optimise`` and ``pti``, all three in those that encoder and local branch are trained with.

Source: @vladmandic/face-api 1.7.15, https://github.com/vladmandic/face-api. Its code, after which :mod:`.networks` is
written, and its weights in ``weights/face`` are under the MIT licence (``weights/face/NOTICE-face-api``). The identity
network is dlib's ResNet (https://github.com/davisking/dlib-models, CC0), with the weights that face-api has of it.
"""
