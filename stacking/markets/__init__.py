"""Markets: how offers and needs become prices and accepted volumes."""
