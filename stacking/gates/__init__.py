"""What happens at the gates of a tick: bids, clearings, and what is passed on, as laws on flat arrays."""
