# SPDX-License-Identifier: Apache-2.0
# libtorch 2.4 or newer: from DEPTHLENS_LIBTORCH_DIR, a conda prefix, or the folder of the PyPI wheel of the python3 on
# the PATH (DEPTHLENS_PYTHON names another). A wheel holds oneDNN's headers too, of another version than the library that
# the cpu backend is linked with, so its folder must not stand in CMAKE_PREFIX_PATH. Only libtorch_cpu and libc10 are
# linked: what needs CUDA is opened at run time. Its own CMake package is not used, as that asks for the CUDA toolkit.
set(DEPTHLENS_LIBTORCH_DIR "" CACHE PATH "Folder of libtorch, with include and lib; empty = look in the usual places")
set(_libtorch_hints ${DEPTHLENS_LIBTORCH_DIR} $ENV{CONDA_PREFIX})
find_program(DEPTHLENS_PYTHON python3 DOC "The Python whose torch wheel is taken")
if(DEPTHLENS_PYTHON)
  execute_process(
    COMMAND ${DEPTHLENS_PYTHON} -c
      "import importlib.util as u; s = u.find_spec('torch'); print(s.submodule_search_locations[0] if s else '')"
    OUTPUT_VARIABLE _libtorch_wheel OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  list(APPEND _libtorch_hints ${_libtorch_wheel})
endif()

find_path(Libtorch_INCLUDE_DIR ATen/ATen.h HINTS ${_libtorch_hints} PATH_SUFFIXES include)
find_library(Libtorch_CPU_LIBRARY torch_cpu HINTS ${_libtorch_hints} PATH_SUFFIXES lib)
find_library(Libtorch_C10_LIBRARY c10 HINTS ${_libtorch_hints} PATH_SUFFIXES lib)
mark_as_advanced(Libtorch_INCLUDE_DIR Libtorch_CPU_LIBRARY Libtorch_C10_LIBRARY)

if(Libtorch_INCLUDE_DIR)
  foreach(_header torch/headeronly/version.h torch/csrc/api/include/torch/version.h)
    if(NOT Libtorch_VERSION AND EXISTS ${Libtorch_INCLUDE_DIR}/${_header})
      file(STRINGS ${Libtorch_INCLUDE_DIR}/${_header} _lines REGEX "define TORCH_VERSION_(MAJOR|MINOR|PATCH) ")
      string(REGEX REPLACE "[^0-9]+([0-9]+)[^0-9]+([0-9]+)[^0-9]+([0-9]+).*" "\\1.\\2.\\3" Libtorch_VERSION
                           "${_lines}")
    endif()
  endforeach()
  # Wheels before 2.6 use the old form of std::string, which the rest of depthlens does not.
  cmake_path(GET Libtorch_INCLUDE_DIR PARENT_PATH _libtorch_root)
  if(EXISTS ${_libtorch_root}/share/cmake/Torch/TorchConfig.cmake)
    file(STRINGS ${_libtorch_root}/share/cmake/Torch/TorchConfig.cmake _old_strings REGEX "_GLIBCXX_USE_CXX11_ABI=0")
    if(_old_strings)
      set(Libtorch_FOUND_REASON "it was built with the old C++ ABI (_GLIBCXX_USE_CXX11_ABI=0); take torch 2.6 or newer")
      unset(Libtorch_CPU_LIBRARY CACHE)
    endif()
  endif()
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Libtorch
  REQUIRED_VARS Libtorch_CPU_LIBRARY Libtorch_C10_LIBRARY Libtorch_INCLUDE_DIR VERSION_VAR Libtorch_VERSION
  REASON_FAILURE_MESSAGE
    "${Libtorch_FOUND_REASON} install it (pip install torch==2.11.0, or conda's libtorch) or name it with -DDEPTHLENS_LIBTORCH_DIR=DIR or -DDEPTHLENS_PYTHON=PYTHON")
if(Libtorch_FOUND AND NOT TARGET Libtorch::Libtorch)
  add_library(Libtorch::Libtorch INTERFACE IMPORTED)
  target_include_directories(Libtorch::Libtorch SYSTEM INTERFACE ${Libtorch_INCLUDE_DIR})
  target_link_libraries(Libtorch::Libtorch INTERFACE ${Libtorch_CPU_LIBRARY} ${Libtorch_C10_LIBRARY})
endif()
