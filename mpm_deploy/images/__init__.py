"""Turn an image file into pixels of a model's size.

    file ─▶ formats, one a file type ─▶ decode: upright RGB ─▶ fit | windows ─▶ (3, H, W) uint8

Nothing is imported here: recipes need to know the sizes of `windows`, and need not wait for torch.
"""
