# A small model with random weights, built where the Python package can build.
if(EXISTS "${ARTIFACT}")
  return()
endif()
execute_process(
  COMMAND "${PYTHON}" -m mpm_deploy.cli build --recipe cpu_fp32 --weights random
          --set "model.image_size=[64, 96]" --set model.classes=7 -o "${ARTIFACT}"
  RESULT_VARIABLE result)
if(NOT result EQUAL 0)
  message("no test artifact: the tests that need one are skipped")
endif()
