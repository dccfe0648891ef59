"""Make encoders that compute on packed tokens."""
