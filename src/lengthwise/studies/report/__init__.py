"""The report on a study: its text, tables, sections and page."""
