"""From renders to things to look at: pictures, contact sheets, videos."""
