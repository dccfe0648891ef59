"""Read and write weights: files of this package, and checkpoints of Segmenter and timm."""
