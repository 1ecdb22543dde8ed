// SPDX-License-Identifier: Apache-2.0
// For plugin authors: the macro that writes a plugin's one exported symbol. Experiments also include
// experiment.hpp, backends abi/backend.h.
#pragma once

#include "depthlens/abi/plugin.h"

#include <string_view>

#if defined(__VERSION__)
#define DEPTHLENS_BUILD "C++ " __VERSION__
#else
#define DEPTHLENS_BUILD "C++"
#endif

// ID: "experiment.flips". LICENSE: as SPDX writes it, "MIT". INTERFACE: id of the one interface offered;
// TABLE: pointer to its static table. INIT: a function `dlens_status(const dlens_host*, const char* path,
// dlens_error*)` or nullptr.
#define DEPTHLENS_PLUGIN(ID, VERSION, SUMMARY, LICENSE, INTERFACE, TABLE, INIT)                   \
  extern "C" DLENS_EXPORT const dlens_plugin* dlens_entry_v1(void) {                              \
    static const dlens_plugin plugin = {                                                          \
        sizeof(dlens_plugin),                                                                     \
        DLENS_ABI_MAJOR,                                                                          \
        DLENS_ABI_MINOR,                                                                          \
        ID,                                                                                       \
        VERSION,                                                                                  \
        SUMMARY,                                                                                  \
        LICENSE,                                                                                  \
        DEPTHLENS_BUILD,                                                                          \
        INIT,                                                                                     \
        nullptr,                                                                                  \
        [](const char* id) -> const void* {                                                       \
          return std::string_view(id) == (INTERFACE) ? static_cast<const void*>(TABLE) : nullptr; \
        },                                                                                        \
        0,                                                                                        \
        0,                                                                                        \
        0};                                                                                       \
    return &plugin;                                                                               \
  }                                                                                               \
  static_assert(true)
