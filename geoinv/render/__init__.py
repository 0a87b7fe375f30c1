"""From planes to pixels (:mod:`.volume`), and from renders to things to look at: orbits, pictures, sheets, videos."""
