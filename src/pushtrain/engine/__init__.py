"""The Docker Engine: the one place that speaks its API and knows its errors."""
