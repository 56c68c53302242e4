"""Faces for reinforcement learning on the engine; they re-shape only."""
