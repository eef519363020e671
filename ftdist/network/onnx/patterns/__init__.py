"""What files spell out in primitives, told as the operator that it is.

Exporters write GELU as five nodes and a layer norm as nine. Before a node is translated, what leads
to it is read as a polynomial (``expressions``): sums, products and quotients of constants and of
*atoms*, which are the values that any other node makes. The order and grouping of the nodes no
longer matter then, and each pattern (``activations``, ``norms``) is one comparison of coefficients.
Where one matches, the node becomes the operator that ONNX has for it, and the nodes before it are
left out as all others that nobody reads.
"""
