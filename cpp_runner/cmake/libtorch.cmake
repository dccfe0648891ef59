# Defines mpm_runner::torch and MPM_TORCH_VERSION.
#
#   MPM_SYSTEM_LIBTORCH   the distribution's (Debian's libtorch-dev); else the one of a Python:
#   MPM_PYTHON            the Python that has torch

option(MPM_SYSTEM_LIBTORCH "Take the distribution's libtorch, not that of a Python" OFF)

if(MPM_SYSTEM_LIBTORCH)
  include("${CMAKE_CURRENT_LIST_DIR}/libtorch_of_system.cmake")
else()
  include("${CMAKE_CURRENT_LIST_DIR}/libtorch_of_python.cmake")
endif()
message(STATUS "torch ${MPM_TORCH_VERSION}: ${MPM_TORCH_FOLDER}")

# PyTorch's wheels show parts of the standard library that they were compiled with, 2.11's all of
# std::filesystem. Names are looked up in the order of this line: were libtorch first, a program
# would call half of its library and half of its own, and crash.
get_target_property(mpm_torch_libraries mpm_runner::torch INTERFACE_LINK_LIBRARIES)
set_target_properties(mpm_runner::torch PROPERTIES INTERFACE_LINK_LIBRARIES
  "-Wl,--push-state,--no-as-needed,-lstdc++,--pop-state;${mpm_torch_libraries}")

# What AOTInductor gives and takes has changed from version to version; TorchScript has not.
if(MPM_AOTINDUCTOR)
  set(mpm_oldest_torch 2.11)
else()
  set(mpm_oldest_torch 2.6)
endif()
if(MPM_TORCH_VERSION VERSION_LESS mpm_oldest_torch)
  message(FATAL_ERROR "${MPM_TORCH_FOLDER} is torch ${MPM_TORCH_VERSION}; ${mpm_oldest_torch} or "
    "newer is needed. Install a newer one, or leave out AOTInductor, for which 2.6 is enough: "
    "cmake -DMPM_AOTINDUCTOR=OFF ...")
endif()
