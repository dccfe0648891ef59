# Finds ONNX Runtime's headers, MPM_ONNXRUNTIME_INCLUDE: those of the system (Debian 13's
# libonnxruntime-dev), or of a release of its makers that somebody has unpacked and names here.
#
# Its library is opened by the program when it is first needed. MPM_ONNXRUNTIME_LIBRARY is where it
# was found, if it was: the system's, or the one in the Python package onnxruntime.

find_path(MPM_ONNXRUNTIME_INCLUDE onnxruntime_cxx_api.h
  PATH_SUFFIXES onnxruntime onnxruntime/core/session DOC "The folder with onnxruntime_cxx_api.h")
find_library(MPM_ONNXRUNTIME_LIBRARY onnxruntime DOC "ONNX Runtime's library, to be opened first")

if(NOT MPM_ONNXRUNTIME_LIBRARY AND MPM_PYTHON)
  execute_process(
    COMMAND "${MPM_PYTHON}" -c "
import importlib.util, pathlib
folder = pathlib.Path(importlib.util.find_spec('onnxruntime').origin).parent
print(next(folder.glob('capi/libonnxruntime.so*')))"
    OUTPUT_VARIABLE mpm_onnxruntime
    ERROR_QUIET
    RESULT_VARIABLE mpm_onnxruntime_result
    OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(mpm_onnxruntime_result EQUAL 0)
    set(MPM_ONNXRUNTIME_LIBRARY "${mpm_onnxruntime}" CACHE FILEPATH "" FORCE)
  endif()
endif()
