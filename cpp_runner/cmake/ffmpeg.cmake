# Finds FFmpeg's libraries, which decode and encode videos: MPM_FFMPEG_FOUND, and PkgConfig::MPM_FFMPEG.

find_package(PkgConfig QUIET)
if(PkgConfig_FOUND)
  pkg_check_modules(MPM_FFMPEG QUIET IMPORTED_TARGET GLOBAL
    libavdevice libavfilter libavformat libavcodec libswscale libavutil)
endif()
