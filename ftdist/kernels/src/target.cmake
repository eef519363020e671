# What the compiler builds for: FTDIST_TARGET is x86, neon or other. The machine tells nothing: a
# 32-bit Raspberry Pi OS has a 64-bit kernel, and a compiler may be given -m32. What cannot work is
# refused here, in a line, before anything is compiled.
separate_arguments(_flags UNIX_COMMAND "${CMAKE_CXX_COMPILER_ARG1} ${CMAKE_CXX_FLAGS}")
execute_process(COMMAND ${CMAKE_CXX_COMPILER} ${_flags} -dM -E -x c++ /dev/null
                RESULT_VARIABLE _failed OUTPUT_VARIABLE _macros ERROR_VARIABLE _said)
if(_failed)
  message(FATAL_ERROR " the compiler does not say what it builds for: "
          "'${CMAKE_CXX_COMPILER} -dM -E' failed: ${_said}")
endif()

# Whether a macro is defined, or has a value.
function(_has result macro)
  if(_macros MATCHES "#define ${macro}[ \n]")
    set(${result} TRUE PARENT_SCOPE)
  else()
    set(${result} FALSE PARENT_SCOPE)
  endif()
endfunction()

_has(_pointers_8 "__SIZEOF_POINTER__ 8")
_has(_little "__BYTE_ORDER__ __ORDER_LITTLE_ENDIAN__")
_has(_x86_64 __x86_64__)
_has(_aarch64 __aarch64__)
if(NOT _pointers_8)
  message(FATAL_ERROR " ftdist needs a 64-bit system, and ${CMAKE_CXX_COMPILER} builds for 32 bits "
          "(uname -m names the kernel, not the system): on a Raspberry Pi, install the 64-bit "
          "Raspberry Pi OS")
elseif(NOT _little)
  message(FATAL_ERROR " ftdist needs a little-endian system, and ${CMAKE_CXX_COMPILER} builds for "
          "another")
elseif(_x86_64)
  set(FTDIST_TARGET x86)
elseif(_aarch64)
  set(FTDIST_TARGET neon)
else()
  set(FTDIST_TARGET other)
endif()
