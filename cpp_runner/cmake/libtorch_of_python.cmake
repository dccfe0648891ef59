# The libtorch inside a Python's torch package.
#
# find_package(Torch) fails with the CUDA wheels where there is no CUDA toolkit. The libraries and
# headers of the wheel need none: they are named here one by one.

if(NOT DEFINED MPM_PYTHON)
  if(EXISTS "${CMAKE_SOURCE_DIR}/.venv/bin/python")
    set(mpm_default_python "${CMAKE_SOURCE_DIR}/.venv/bin/python")
  elseif(MPM_INSTALLED_WITH_PYTHON AND EXISTS "${MPM_INSTALLED_WITH_PYTHON}")
    set(mpm_default_python "${MPM_INSTALLED_WITH_PYTHON}")
  else()
    set(mpm_default_python python3)
  endif()
endif()
set(MPM_PYTHON "${mpm_default_python}" CACHE STRING "The Python that has torch")

execute_process(
  COMMAND "${MPM_PYTHON}" -c "
import importlib.util, pathlib, runpy
folder = pathlib.Path(importlib.util.find_spec('torch').origin).parent
print(folder)
print(runpy.run_path(str(folder / 'version.py'))['__version__'])"
  OUTPUT_VARIABLE mpm_torch
  ERROR_VARIABLE mpm_torch_error
  RESULT_VARIABLE mpm_torch_result
  OUTPUT_STRIP_TRAILING_WHITESPACE)
if(NOT mpm_torch_result EQUAL 0)
  message(FATAL_ERROR "${MPM_PYTHON} has no torch. Name a Python that has one: "
    "cmake -DMPM_PYTHON=/path/to/python ...\n${mpm_torch_error}")
endif()
string(REPLACE "\n" ";" mpm_torch "${mpm_torch}")
list(GET mpm_torch 0 MPM_TORCH_FOLDER)
list(GET mpm_torch 1 MPM_TORCH_VERSION)

if(NOT TARGET mpm_runner::torch)
  # Nothing calls into the CUDA libraries by name: they register themselves when they are loaded.
  set(mpm_torch_link "-Wl,--push-state,--no-as-needed")
  foreach(name torch torch_cpu c10 torch_cuda c10_cuda)
    set(library "${MPM_TORCH_FOLDER}/lib/lib${name}.so")
    if(EXISTS "${library}")
      string(APPEND mpm_torch_link ",${library}")
    endif()
  endforeach()
  string(APPEND mpm_torch_link ",--pop-state")

  add_library(mpm_runner::torch INTERFACE IMPORTED)
  set_target_properties(mpm_runner::torch PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES
      "${MPM_TORCH_FOLDER}/include;${MPM_TORCH_FOLDER}/include/torch/csrc/api/include"
    INTERFACE_LINK_LIBRARIES "${mpm_torch_link}"
    # --allow-shlib-undefined: the wheel's libraries find their own ones by their own run paths.
    INTERFACE_LINK_OPTIONS "-Wl,-rpath,${MPM_TORCH_FOLDER}/lib;-Wl,--allow-shlib-undefined")
endif()
