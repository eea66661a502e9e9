"""Row functions φ(η; y) of a linear predictor: their slopes, curvatures, means and domains; a family a file."""
