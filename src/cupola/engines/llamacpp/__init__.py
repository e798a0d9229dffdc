"""The engine `llamacpp`: xllamacpp's server (llama.cpp) in a child process, on a Unix socket.

Begin with `replica`. `process` and `log` keep the child, `child` is what runs in it, `completion`
turns a `Generation` into the body of `/completion` and its answer into events, without I/O.
"""
