"""Who decides: bidding strategies, consent policies and the Mesa face. Mesa is imported only by `model` and `fsp`."""
