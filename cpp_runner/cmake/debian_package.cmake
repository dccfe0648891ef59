# cpack -G DEB --config build/CPackConfig.cmake: one package of the program, both libraries and the
# headers. It holds no libtorch, and depends on none of the distribution's unless it was built with
# that: the loader looks where the torch lies that it was built with, and wherever else it is told.

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME mpm-runner)
set(CPACK_PACKAGE_CONTACT "The authors of mpm-deploy <noreply@example.invalid>")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
if(MPM_VIDEO)  # what reads cameras is opened where there is one
  string(REGEX MATCH "^[0-9]+" mpm_avdevice_major "${MPM_AVDEVICE_VERSION}")
  set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "libavdevice${mpm_avdevice_major}")
endif()
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY
  "Runs token-merged ViT segmentation models, from C, C++ or a shell")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
  "The program cpp_runner, libmpm_runner for C and C++, and their headers.")
if(NOT MPM_SYSTEM_LIBTORCH)
  string(REGEX REPLACE "\\+.*" "" mpm_torch_release "${MPM_TORCH_VERSION}")
  string(APPEND CPACK_DEBIAN_PACKAGE_DESCRIPTION "
It needs libtorch ${MPM_TORCH_VERSION}, that very version, in
${MPM_TORCH_FOLDER}/lib
or where LD_LIBRARY_PATH or /etc/ld.so.conf.d/ say:
pip install torch==${mpm_torch_release}")
endif()
include(CPack)
