"""What coordination does to everybody else: costs of operators and society, harm to other markets, every bid's history."""
