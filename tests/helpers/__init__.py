"""What several tests share: corners of the cube, small data and models, reference implementations."""
