"""From renders to things to look at: camera orbits, normals, pictures, contact sheets and videos."""
