# SPDX-License-Identifier: Apache-2.0
# Arrow C++ with Parquet: from DEPTHLENS_ARROW_DIR, a conda prefix, the folder of the pyarrow wheel of the python3 on the
# PATH (DEPTHLENS_PYTHON names another), which holds headers and libraries, or the system. A wheel's libraries have their
# number in their names alone (libarrow.so.2600), and no CMake package.
set(DEPTHLENS_ARROW_DIR "" CACHE PATH "Folder of Arrow C++, a prefix or that of pyarrow; empty = look in the usual places")
set(_arrow_hints ${DEPTHLENS_ARROW_DIR} $ENV{CONDA_PREFIX})
find_program(DEPTHLENS_PYTHON python3 DOC "The Python whose wheels are taken")
if(DEPTHLENS_PYTHON)
  execute_process(
    COMMAND ${DEPTHLENS_PYTHON} -c
      "import importlib.util as u; s = u.find_spec('pyarrow'); print(s.submodule_search_locations[0] if s else '')"
    OUTPUT_VARIABLE _arrow_wheel OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  list(APPEND _arrow_hints ${_arrow_wheel})
endif()

find_path(ArrowParquet_INCLUDE_DIR parquet/arrow/writer.h HINTS ${_arrow_hints} PATH_SUFFIXES include)
if(ArrowParquet_INCLUDE_DIR)
  file(STRINGS ${ArrowParquet_INCLUDE_DIR}/arrow/util/config.h _line REGEX "define ARROW_VERSION_STRING ")
  string(REGEX REPLACE ".*\"([0-9.]+).*" "\\1" ArrowParquet_VERSION "${_line}")
  # Headers and libraries of one place; the number is of the major version.
  cmake_path(GET ArrowParquet_INCLUDE_DIR PARENT_PATH _arrow_root)
  string(REGEX MATCH "^[0-9]+" _arrow_major "${ArrowParquet_VERSION}")
  foreach(_library arrow parquet)
    string(TOUPPER ${_library} _name)
    find_library(ArrowParquet_${_name}_LIBRARY NAMES ${_library} lib${_library}.so.${_arrow_major}00
                 HINTS ${_arrow_root} PATH_SUFFIXES lib)
  endforeach()
endif()
mark_as_advanced(ArrowParquet_INCLUDE_DIR ArrowParquet_ARROW_LIBRARY ArrowParquet_PARQUET_LIBRARY)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(ArrowParquet
  REQUIRED_VARS ArrowParquet_PARQUET_LIBRARY ArrowParquet_ARROW_LIBRARY ArrowParquet_INCLUDE_DIR
  VERSION_VAR ArrowParquet_VERSION
  REASON_FAILURE_MESSAGE
    "name it with -DDEPTHLENS_ARROW_DIR=DIR: bash share/get-arrow.sh prints one, or install libarrow-dev and libparquet-dev, or conda's libarrow and libparquet")
if(ArrowParquet_FOUND AND NOT TARGET ArrowParquet::ArrowParquet)
  add_library(ArrowParquet::ArrowParquet INTERFACE IMPORTED)
  target_include_directories(ArrowParquet::ArrowParquet SYSTEM INTERFACE ${ArrowParquet_INCLUDE_DIR})
  target_link_libraries(ArrowParquet::ArrowParquet INTERFACE ${ArrowParquet_PARQUET_LIBRARY} ${ArrowParquet_ARROW_LIBRARY})
endif()
