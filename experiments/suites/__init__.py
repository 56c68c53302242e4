"""Suites: trainings and tuned rivals in several cells, the test split that is opened once, and the statistics of the claim."""
