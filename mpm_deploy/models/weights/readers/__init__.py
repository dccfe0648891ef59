"""Read weights of others: each module knows one layout, and gives tensors under our names."""
