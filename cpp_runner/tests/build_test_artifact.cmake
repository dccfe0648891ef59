# A small model with random weights, as this checkout builds it.
execute_process(
  COMMAND "${PYTHON}" -m mpm_deploy.cli build --recipe cpu_portable_fp32 --weights random
          --set "model.image_size=[64, 96]" --set model.classes=7 -o "${ARTIFACT}"
  COMMAND_ERROR_IS_FATAL ANY)

# The same, cut at its merges for ONNX Runtime, where the program was built with it.
if(SEGMENTS)
  execute_process(
    COMMAND "${PYTHON}" -m mpm_deploy.cli build --recipe cpu_onnxruntime_fp32 --weights random
            --set "model.image_size=[64, 96]" --set model.classes=7 -o "${SEGMENTS}"
    COMMAND_ERROR_IS_FATAL ANY)
endif()

# The same model, sliding over images.
execute_process(
  COMMAND "${PYTHON}" -m mpm_deploy.cli build --recipe "${ARTIFACT}" --set input.fit=slide
          --set input.stride=40 --set input.short_side=70 -o "${SLIDING}"
  COMMAND_ERROR_IS_FATAL ANY)
