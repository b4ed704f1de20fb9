"""What an owner does with a dataset on its own machine: draft a schema, check, seal, upload."""
