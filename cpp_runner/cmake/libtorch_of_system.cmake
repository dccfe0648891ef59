# The libtorch of the distribution, as Debian's libtorch-dev installs it: headers and libraries lie
# where the compiler looks, or in the CMAKE_SYSROOT.

find_path(MPM_TORCH_FOLDER torch/csrc/api/include/torch/version.h)
find_library(MPM_TORCH_CPU torch_cpu)
find_library(MPM_TORCH_C10 c10)
if(NOT MPM_TORCH_FOLDER OR NOT MPM_TORCH_CPU OR NOT MPM_TORCH_C10)
  message(FATAL_ERROR "This system has no libtorch: install libtorch-dev, or take a Python's: "
    "cmake -DMPM_SYSTEM_LIBTORCH=OFF -DMPM_PYTHON=/path/to/python ...")
endif()

set(mpm_torch_headers "${MPM_TORCH_FOLDER}/torch/csrc/api/include")
file(STRINGS "${mpm_torch_headers}/torch/version.h" mpm_torch_numbers
  REGEX "TORCH_VERSION_(MAJOR|MINOR|PATCH) [0-9]+")
string(REGEX MATCHALL "[0-9]+" mpm_torch_numbers "${mpm_torch_numbers}")
list(JOIN mpm_torch_numbers "." MPM_TORCH_VERSION)

if(NOT TARGET mpm_runner::torch)
  add_library(mpm_runner::torch INTERFACE IMPORTED)
  set_target_properties(mpm_runner::torch PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES "${mpm_torch_headers}"
    INTERFACE_LINK_LIBRARIES "${MPM_TORCH_CPU};${MPM_TORCH_C10}"
    # What libtorch itself needs is its own affair, also when another system's compiler links.
    INTERFACE_LINK_OPTIONS "-Wl,--allow-shlib-undefined")
endif()
