# Finds FFmpeg's libraries, which decode and encode videos: MPM_FFMPEG_FOUND, and
# PkgConfig::MPM_FFMPEG. libavdevice is opened where a camera is: MPM_AVDEVICE_FOUND, its header.

find_package(PkgConfig QUIET)
if(PkgConfig_FOUND)
  pkg_check_modules(MPM_FFMPEG QUIET IMPORTED_TARGET GLOBAL
    libavfilter libavformat libavcodec libswscale libavutil)
  pkg_check_modules(MPM_AVDEVICE QUIET libavdevice)
endif()
