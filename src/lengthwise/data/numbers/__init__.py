"""Read the user's files of numbers: tables, their columns and dates, and sequences."""
