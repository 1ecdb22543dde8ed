# SPDX-License-Identifier: Apache-2.0
# Finds gnuplot-iostream.h, a single header that share/setup fetches into the user's cache, and makes the target
# GnuplotIostream::GnuplotIostream.
if(DEFINED ENV{XDG_CACHE_HOME} AND NOT "$ENV{XDG_CACHE_HOME}" STREQUAL "")
  set(_cache "$ENV{XDG_CACHE_HOME}")
else()
  set(_cache "$ENV{HOME}/.cache")
endif()
find_path(GnuplotIostream_INCLUDE_DIR gnuplot-iostream.h
          HINTS ${DEPTHLENS_GNUPLOT_IOSTREAM_DIR} ${_cache}/depthlens/include ${CMAKE_BINARY_DIR}/deps/include)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(GnuplotIostream REQUIRED_VARS GnuplotIostream_INCLUDE_DIR
  REASON_FAILURE_MESSAGE "run share/setup-packages.sh, or set DEPTHLENS_GNUPLOT_IOSTREAM_DIR to the folder of gnuplot-iostream.h")
if(GnuplotIostream_FOUND AND NOT TARGET GnuplotIostream::GnuplotIostream)
  add_library(GnuplotIostream::GnuplotIostream INTERFACE IMPORTED)
  target_include_directories(GnuplotIostream::GnuplotIostream SYSTEM INTERFACE ${GnuplotIostream_INCLUDE_DIR})
  target_link_libraries(GnuplotIostream::GnuplotIostream INTERFACE Boost::iostreams Boost::filesystem util)
endif()
