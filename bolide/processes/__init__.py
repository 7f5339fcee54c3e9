"""A supervisor, its workers, and reloading."""
