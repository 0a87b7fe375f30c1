"""Networks that look at faces: whose face it is, and its expression."""
