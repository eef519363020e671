# Builds for the machine $FTDIST_MACHINE on another, with Debian's cross compilers, for launch/wheels.
# Python's headers are those of the interpreter that builds: they depend on the sizes of types only,
# which are the same on x86-64 and aarch64. The modules link to no library of Python's.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR $ENV{FTDIST_MACHINE})
set(CMAKE_C_COMPILER ${CMAKE_SYSTEM_PROCESSOR}-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER ${CMAKE_SYSTEM_PROCESSOR}-linux-gnu-g++)
set(CMAKE_STRIP ${CMAKE_SYSTEM_PROCESSOR}-linux-gnu-strip)
