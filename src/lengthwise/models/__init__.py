"""The cube: encoder, bridge and decoder, and the Keras models made of them."""
