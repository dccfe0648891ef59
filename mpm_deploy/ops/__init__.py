"""Hold the operations that must know where an image ends or a pixel begins, a folder each.

`reference` is the plain version, and the truth. Faster ones have its name and signature in a file
that says how, and the plain one is their test::

    attention/         reference   one fused call where all lengths are equal, else image by image
                       fused       the scores of a few queries at a time; compiled for a CPU
                       flash       PyTorch's flash kernels on packed rows, for a GPU
    blending/          reference   a copy and a depthwise convolution
                       kernel      cells read where they lie; compiled for a CPU
                       shifts      a sum of shifted grids; in every other exported model
    byte_table/        reference   an index into the table
                       kernel      the table in registers; compiled for a CPU
    deformable_attention/
                       reference   PyTorch's reading between cells, level by level
                       kernel      cells read where they lie; compiled for a CPU
    gelu/              reference   PyTorch's
                       kernel      a polynomial; compiled for a CPU, in bfloat16
    nearest_neighbor/  reference   all similarities of an image, then the best of each row
                       pairwise    each pair once, no similarity kept; compiled for a CPU
                       triton      the best so far, block by block of columns; for a GPU
                       static      no size that a value decides; for engines of static graphs
    label_map/         reference   every class at every pixel; what Inductor compiles
                       pruned      the few classes that can win; plain torch, for TorchScript
                       native      likewise in C++, for a CPU; what the runners take where they can
                       windows     windows averaged, class by class; plain torch, CPU and GPU

`attention.attention` and `nearest_neighbor.nearest_neighbor` are what a model gets, and so are the
others; `inner_products` is the product by which tokens are compared. `own_kernels` knows whether a
model is exported for a file of ours: for other engines it is made of PyTorch's own operators.
"""
