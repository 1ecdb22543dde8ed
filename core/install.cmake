# SPDX-License-Identifier: Apache-2.0
# What `cmake --install` puts where, by component: runtime (the program), cpu, torch, tables-arrow and experiments (plugins:
# see DepthlensAddPlugin), devel (headers, CMake package, skeleton, examples and depthlens-validate for authors of plugins).
include(CMakePackageConfigHelpers)
install(TARGETS depthlens RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT runtime)
install(TARGETS depthlens-validate RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT devel)
install(DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT devel)
install(TARGETS depthlens_core depthlens_plugin depthlens_abi EXPORT depthlens COMPONENT devel)
set_target_properties(depthlens_abi PROPERTIES EXPORT_NAME abi)
set_target_properties(depthlens_core PROPERTIES EXPORT_NAME core)
set_target_properties(depthlens_plugin PROPERTIES EXPORT_NAME plugin)
install(DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}/../share/skeleton DESTINATION ${CMAKE_INSTALL_DATADIR}/depthlens
        COMPONENT devel)

set(share ${CMAKE_CURRENT_SOURCE_DIR}/../share)
install(PROGRAMS ${share}/tag-text.sh DESTINATION ${CMAKE_INSTALL_DATADIR}/depthlens COMPONENT runtime)
install(FILES ${share}/tag_text.py ${share}/tagger-requirements.txt DESTINATION ${CMAKE_INSTALL_DATADIR}/depthlens
        COMPONENT runtime)
install(DIRECTORY ${share}/paper ${share}/cluster ${share}/python DESTINATION ${CMAKE_INSTALL_DATADIR}/depthlens
        COMPONENT runtime USE_SOURCE_PERMISSIONS PATTERN "__pycache__" EXCLUDE)
set(doc_dir ${CMAKE_INSTALL_DATADIR}/doc/depthlens)
install(FILES ${CMAKE_CURRENT_SOURCE_DIR}/../README.md ${CMAKE_CURRENT_SOURCE_DIR}/../LICENSE
              ${CMAKE_CURRENT_SOURCE_DIR}/../CHANGELOG.md DESTINATION ${doc_dir} COMPONENT runtime)
install(DIRECTORY ${share}/doc/ DESTINATION ${doc_dir}/share/doc COMPONENT runtime)
install(DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}/../experiments DESTINATION ${doc_dir} COMPONENT devel
        FILES_MATCHING PATTERN "*.[ch]pp" PATTERN "*.md" PATTERN "CMakeLists.txt")
foreach(page depthlens depthlens-validate)
  configure_file(${share}/man/${page}.1.in ${CMAKE_CURRENT_BINARY_DIR}/${page}.1 @ONLY)
endforeach()
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/depthlens.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT runtime)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/depthlens-validate.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT devel)
# Of each command, from its help: see the target `man`.
install(DIRECTORY ${CMAKE_BINARY_DIR}/man/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT runtime FILES_MATCHING PATTERN "*.1")
install(FILES ${share}/completion/depthlens.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions
        RENAME depthlens COMPONENT runtime)
install(FILES ${share}/completion/_depthlens DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions COMPONENT runtime)
install(FILES ${share}/completion/depthlens.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d
        COMPONENT runtime)
configure_file(${CMAKE_CURRENT_SOURCE_DIR}/cmake/depthlens.pc.in ${CMAKE_CURRENT_BINARY_DIR}/depthlens.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/depthlens.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT devel)

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
