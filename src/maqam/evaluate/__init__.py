"""A trained backbone decoded and scored."""
