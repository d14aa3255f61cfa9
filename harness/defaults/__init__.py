"""What a run uses unless told otherwise: the guide's config.json, as it stands there."""
