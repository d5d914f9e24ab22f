"""What executes the jobs of a sweep: local processes, Ray, Slurm."""
