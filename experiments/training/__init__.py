"""Training: policies from stable-baselines3 (extra [rl]) that become plain arrays and strategies."""
