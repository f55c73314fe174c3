"""What metrics are computed with: checked arrays, splits, information, predictors."""
