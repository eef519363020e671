"""A live page of what a coordinator, or a local run, is doing, and the same as metrics.

The page is served by a process of its own, so that nothing a browser does can delay who is shown.
That process asks for a snapshot only while somebody looks; otherwise it costs nothing.
"""
