"""Models shown to people: presets, equations, diagrams and figures of their wiring."""
