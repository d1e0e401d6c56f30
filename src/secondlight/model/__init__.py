"""The nouns: what every stage takes and returns."""
