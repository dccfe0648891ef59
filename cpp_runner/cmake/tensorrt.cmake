# Finds the headers of TensorRT 10 or newer, or of TensorRT for RTX, MPM_TENSORRT_INCLUDE, and those
# of CUDA that they include, MPM_CUDA_INCLUDE: a toolkit's, or what torch brings. mpm_tensorrt_lacks
# says what is missing, if anything.
#
# The library is opened by the program when it is first needed, and nothing of CUDA is linked.
# MPM_TENSORRT_LIBRARY is where it was found, if it was: the system's, or the one in a Python package
# beside torch.

find_path(MPM_TENSORRT_INCLUDE NvInferRuntime.h DOC "The folder with NvInferRuntime.h")
find_path(MPM_CUDA_INCLUDE cuda_runtime_api.h
  HINTS "$ENV{CUDA_HOME}/include" /usr/local/cuda/include "${MPM_TORCH_FOLDER}/../nvidia/cu13/include"
  DOC "The folder with cuda_runtime_api.h")

if(MPM_TENSORRT_INCLUDE AND MPM_CUDA_INCLUDE)
  include(CheckCXXSourceCompiles)
  unset(MPM_TENSORRT_IS_NEW CACHE)  # other folders may be named by now
  unset(MPM_TORCH_NAMES_STREAMS CACHE)
  set(CMAKE_REQUIRED_FLAGS -std=c++20)
  set(CMAKE_REQUIRED_INCLUDES "${MPM_TENSORRT_INCLUDE}" "${MPM_CUDA_INCLUDE}")
  check_cxx_source_compiles("
#include <NvInferRuntime.h>
#if NV_TENSORRT_MAJOR < 10 && !defined(TRT_MAJOR_RTX)
#error older
#endif
int main() {}" MPM_TENSORRT_IS_NEW)
  set(CMAKE_REQUIRED_INCLUDES "${MPM_TORCH_FOLDER}" "${MPM_TORCH_FOLDER}/include")
  check_cxx_source_compiles("
#include <c10/core/Stream.h>
using Handle = decltype(&c10::Stream::native_handle);
int main() {}" MPM_TORCH_NAMES_STREAMS)
  unset(CMAKE_REQUIRED_FLAGS)
  unset(CMAKE_REQUIRED_INCLUDES)
endif()

set(mpm_tensorrt_lacks "")
if(NOT MPM_TENSORRT_INCLUDE)
  set(mpm_tensorrt_lacks "its headers are not installed")
elseif(NOT MPM_CUDA_INCLUDE)
  set(mpm_tensorrt_lacks "CUDA's headers are not installed")
elseif(NOT MPM_TENSORRT_IS_NEW)
  set(mpm_tensorrt_lacks "the headers in ${MPM_TENSORRT_INCLUDE} are older than 10, or do not compile")
elseif(NOT MPM_TORCH_NAMES_STREAMS)
  set(mpm_tensorrt_lacks "torch ${MPM_TORCH_VERSION} does not say which stream of CUDA its own is")
else()
  # Only a library of the headers' major version is taken, and its name ends in that.
  file(READ "${MPM_TENSORRT_INCLUDE}/NvInferVersion.h" mpm_tensorrt_version)
  if(mpm_tensorrt_version MATCHES "#define TRT_MAJOR_RTX +([0-9]+)")
    find_library(MPM_TENSORRT_LIBRARY NAMES libtensorrt_rtx.so.${CMAKE_MATCH_1} tensorrt_rtx
      HINTS "${MPM_TORCH_FOLDER}/../tensorrt_rtx_libs" DOC "TensorRT's library, to be opened first")
  elseif(mpm_tensorrt_version MATCHES "#define (NV_TENSORRT_MAJOR|TRT_MAJOR_ENTERPRISE) +([0-9]+)")
    find_library(MPM_TENSORRT_LIBRARY NAMES libnvinfer.so.${CMAKE_MATCH_2} nvinfer
      HINTS "${MPM_TORCH_FOLDER}/../tensorrt_libs" DOC "TensorRT's library, to be opened first")
  endif()
endif()
