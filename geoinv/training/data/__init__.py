"""What training looks at: rendered heads, portraits, pairs of views, and how they are varied."""
