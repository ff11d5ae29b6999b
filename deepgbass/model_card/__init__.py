"""Published models and their cards."""
