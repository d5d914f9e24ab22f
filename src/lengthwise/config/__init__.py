"""Configuration: every option, its meaning, and the gate that values pass."""
