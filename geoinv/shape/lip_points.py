"""MediaPipe's points across the lips, from a picture's left to its right: edge and rim of each lip."""

OUTER_UPPER, UPPER = (185, 40, 39, 37, 0, 267, 269, 270, 409), (191, 80, 81, 82, 13, 312, 311, 310, 415)
LOWER, OUTER_LOWER = (95, 88, 178, 87, 14, 317, 402, 318, 324), (146, 91, 181, 84, 17, 314, 405, 321, 375)
CORNERS = (78, 308)
