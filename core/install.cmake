# SPDX-License-Identifier: Apache-2.0
# What `cmake --install` puts where: the program, and the headers, CMake package and skeleton that a plugin is built
# with.
include(CMakePackageConfigHelpers)
install(TARGETS depthlens RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT runtime)
install(DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT devel)
install(TARGETS depthlens_core depthlens_plugin EXPORT depthlens COMPONENT devel)
set_target_properties(depthlens_core PROPERTIES EXPORT_NAME core)
set_target_properties(depthlens_plugin PROPERTIES EXPORT_NAME plugin)
install(DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}/../share/skeleton DESTINATION ${CMAKE_INSTALL_DATADIR}/depthlens
        COMPONENT devel)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/depthlens)
install(EXPORT depthlens NAMESPACE depthlens:: DESTINATION ${package_dir} FILE depthlens-targets.cmake COMPONENT devel)
configure_package_config_file(${CMAKE_CURRENT_SOURCE_DIR}/cmake/depthlens-config.cmake.in
                              ${CMAKE_CURRENT_BINARY_DIR}/depthlens-config.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/depthlens-config-version.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/depthlens-config.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/depthlens-config-version.cmake
              ${CMAKE_CURRENT_SOURCE_DIR}/cmake/DepthlensAddPlugin.cmake
              ${CMAKE_CURRENT_SOURCE_DIR}/cmake/plugin.map
        DESTINATION ${package_dir} COMPONENT devel)
