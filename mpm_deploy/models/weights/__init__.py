"""Read and write weights: files of this package, and through `readers` those of others."""
