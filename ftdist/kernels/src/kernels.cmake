# The kernels without Python: a static library that the module and the C++ check both link.
# No fast-math and no contraction: the order of every sum and every fused multiply-add is written out.
set(KERNEL_DIR ${CMAKE_CURRENT_LIST_DIR})
option(FTDIST_WERROR "Warnings of the compiler are errors" OFF) # launch/test: compilers differ
include(${KERNEL_DIR}/target.cmake)
set(KERNEL_WARNINGS -Wall -Wextra -Wno-unused-function -Wno-psabi
    -Wno-maybe-uninitialized) # GCC 12 warns of its own AVX-512 header
if(FTDIST_WERROR)
  list(APPEND KERNEL_WARNINGS -Werror)
endif()

add_library(ftdist_kernels STATIC ${KERNEL_DIR}/faults.cpp ${KERNEL_DIR}/guard.cpp
            ${KERNEL_DIR}/isas.cpp ${KERNEL_DIR}/steps.cpp ${KERNEL_DIR}/streaming.cpp
            ${KERNEL_DIR}/transform.cpp)
target_include_directories(ftdist_kernels PUBLIC ${KERNEL_DIR})
target_compile_options(ftdist_kernels PRIVATE ${KERNEL_WARNINGS})

set_source_files_properties(${KERNEL_DIR}/transform.cpp PROPERTIES COMPILE_OPTIONS
  "-O3;-ffp-contract=off")

function(add_instruction_set name) # options override the -O3
  target_sources(ftdist_kernels PRIVATE ${KERNEL_DIR}/isa_${name}.cpp)
  set_source_files_properties(${KERNEL_DIR}/isa_${name}.cpp TARGET_DIRECTORY ftdist_kernels
    PROPERTIES COMPILE_OPTIONS "-O3;-ffp-contract=off;${ARGN}")
endfunction()

add_instruction_set(scalar -O2) # for comparison: half the time of the compiler
if(FTDIST_TARGET STREQUAL "x86")
  target_compile_definitions(ftdist_kernels PRIVATE FTDIST_BUILD_X86)
  add_instruction_set(sse2)
  add_instruction_set(avx2 -mavx2 -mfma)
  add_instruction_set(avx512 -mavx512f -mavx512vl -mavx512bw -mavx512dq -mfma)
elseif(FTDIST_TARGET STREQUAL "neon")
  target_compile_definitions(ftdist_kernels PRIVATE FTDIST_BUILD_NEON)
  # GCC would load early what does not fit the registers, and move sums about to make room.
  add_instruction_set(neon $<$<CXX_COMPILER_ID:GNU>:-fno-schedule-insns>)
endif()
