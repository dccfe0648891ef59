string(REGEX REPLACE "[;:].*" "" ARTIFACT "${ARTIFACT}")
if(NOT EXISTS "${ARTIFACT}")
  message("skipped: no artifact")
  return()
endif()

function(run)
  execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

file(REMOVE_RECURSE "${FOLDER}/build" "${FOLDER}/installed")
run(${CMAKE_COMMAND} --install "${BUILD}" --prefix "${FOLDER}/installed")
run(${CMAKE_COMMAND} -S "${SOURCE}" -B "${FOLDER}/build" -G "${GENERATOR}"
    -DCMAKE_PREFIX_PATH=${FOLDER}/installed)
run(${CMAKE_COMMAND} --build "${FOLDER}/build")
run("${FOLDER}/build/segment" "${ARTIFACT}")
