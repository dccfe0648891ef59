# Compiles for Arm64 with Debian's g++-aarch64-linux-gnu, against a Debian for Arm64 in a folder:
#
#   cmake --toolchain cpp_runner/cmake/aarch64-linux-gnu.cmake -DMPM_SYSROOT=FOLDER ...

set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)

set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES MPM_SYSROOT)
set(CMAKE_SYSROOT "${MPM_SYSROOT}")
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)

set(ENV{PKG_CONFIG_SYSROOT_DIR} "${MPM_SYSROOT}")
set(ENV{PKG_CONFIG_LIBDIR} "${MPM_SYSROOT}/usr/lib/aarch64-linux-gnu/pkgconfig:${MPM_SYSROOT}/usr/share/pkgconfig")
