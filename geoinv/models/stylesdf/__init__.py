"""StyleSDF's generators and the networks of E3DGE that invert photos into them."""
