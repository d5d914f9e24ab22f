"""Sets studies side by side on one page: what to take in each, and what each axis does in all of them."""
