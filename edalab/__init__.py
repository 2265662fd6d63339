"""A laboratory of event-driven systems: build, break and mend them."""
