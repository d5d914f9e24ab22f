"""Run directories: manifest, journal, heartbeat, and how runs are found."""
