"""From what a file says to what is computed: a stage between importers and networks.

Files spell one thing in many ways: a batch norm is a factor and a shift, SiLU a product with a
sigmoid, dropout nothing at all. An importer writes down a ``draft`` as simply as it can, in our
operators, each activation and each factor a step of its own; the functions here, each from draft to
draft, then put together what belongs together. Arrays are read when the model file is written.
"""
