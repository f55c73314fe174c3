"""Estimators of metrics: checked arrays, splits, information, neighbors, predictors."""
