"""The models of the cube: encoder, bridge and decoder, built from one wiring."""
