"""Assets: what a portfolio can deliver, and what that costs."""
