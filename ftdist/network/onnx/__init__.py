"""ONNX files as networks.

``reading`` turns a file into plain values and is the only one that knows how files are laid out;
``importer`` walks the nodes, those of the first opsets as ``older`` says them; what one operator
becomes stands in the file of its family in ``translators``, by its name in ``registry.OPERATORS``.
To add one: write a function there, decorated with its name. It is given the node and what it
reads, either constants (NumPy arrays) or tensors (``views``), and adds steps to the draft; nodes
that read only constants are computed by ``constants``.
"""
