# SPDX-License-Identifier: Apache-2.0
# depthlens_add_plugin(NAME SOURCES file...): a plugin as a shared library without prefix, with one exported symbol.
# NAME is the id with "-" for the first ".": experiment-flips, experiment-org.example.flips. It is built with
# depthlens::plugin, in a project in C with depthlens::abi; with depthlens::core besides, for the readers of models and tables, after
# find_package(depthlens COMPONENTS core). Works in depthlens' own tree and through find_package(depthlens).
# DEPTHLENS_VERSION is that of the program or package that it is built with; plugins of others have versions of their own.
set(DEPTHLENS_PLUGIN_MAP ${CMAKE_CURRENT_LIST_DIR}/plugin.map)

function(depthlens_add_plugin name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES")
  add_library(${name} MODULE ${arg_SOURCES})
  if(TARGET depthlens_core)
    target_link_libraries(${name} PRIVATE depthlens_core depthlens_warnings)
    target_compile_definitions(${name} PRIVATE DEPTHLENS_VERSION="${PROJECT_VERSION}")
    set_property(GLOBAL APPEND PROPERTY DEPTHLENS_PLUGINS ${name})
    set_target_properties(${name} PROPERTIES
      LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/${DEPTHLENS_PLUGIN_DIR}
      INSTALL_RPATH "$ORIGIN/../..")
    if(DEPTHLENS_INSTALL)
      # experiments, or the name of the backend: cpu, torch
      string(REGEX REPLACE "^backend-" "" component ${name})
      string(REGEX REPLACE "^experiment-.*" "experiments" component ${component})
      install(TARGETS ${name} LIBRARY DESTINATION ${DEPTHLENS_PLUGIN_DIR} COMPONENT ${component})
    endif()
  else()
    target_link_libraries(${name} PRIVATE depthlens::abi)
    get_property(languages GLOBAL PROPERTY ENABLED_LANGUAGES)
    if("CXX" IN_LIST languages)
      target_link_libraries(${name} PRIVATE depthlens::plugin)
    endif()
    if(depthlens_core_FOUND)
      target_link_libraries(${name} PRIVATE depthlens::core)
    endif()
    target_compile_definitions(${name} PRIVATE DEPTHLENS_VERSION="${depthlens_VERSION}")
  endif()
  set_target_properties(${name} PROPERTIES
    PREFIX "" SUFFIX ".so" C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
    LINK_DEPENDS ${DEPTHLENS_PLUGIN_MAP})
  target_link_options(${name} PRIVATE -Wl,--version-script=${DEPTHLENS_PLUGIN_MAP})
  if(NOT DEPTHLENS_SANITIZE)
    target_link_options(${name} PRIVATE -Wl,-z,defs)
  endif()
endfunction()
