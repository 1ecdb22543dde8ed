// SPDX-License-Identifier: Apache-2.0
// The entry of a depthlens plugin. A plugin is a shared library whose ONE exported symbol is dlens_entry_v1;
// its file name is its id with "-" for the first ".": experiment-early-exit.so has the id
// "experiment.early-exit". What follows the last "." is its word on the command line. Who wants an id that
// nobody else has puts a domain in between: experiment-org.example.flips.so, "experiment.org.example.flips",
// is the experiment flips too, and where another has that word, org-example-flips.
#ifndef DLENS_ABI_PLUGIN_H
#define DLENS_ABI_PLUGIN_H

#include "types.h"
#include "version.h"

#ifdef __cplusplus
extern "C" {
#endif

struct dlens_host;

typedef struct dlens_plugin {
  uint32_t size;
  uint16_t abi_major, abi_minor;  // DLENS_ABI_MAJOR, DLENS_ABI_MINOR the plugin was built with
  const char *id;                 // "backend.cpu", "experiment.flips", "experiment.org.example.flips"
  const char *version;            // of the plugin
  const char *summary;            // one sentence
  const char *license;            // SPDX expression
  const char *build;              // compiler and target, for messages only

  // Called once in a process, before any other function; NULL if it need not be. `host` is valid until the
  // process ends, `path`, of the plugin's file, too: what it brings along lies beside it. Where it fails, no
  // other function is called, deinit neither. [main]
  dlens_status (*init)(const struct dlens_host *host, const char *path, dlens_error *error);
  // Called once at the end, when every object of the plugin is destroyed; NULL if it need not be. [main]
  void (*deinit)(void);
  // A table of functions, static, or NULL for an id it does not know. [any]
  const void *(*get_interface)(const char *id);
  // The least interface of a host that it can do with; 0.0 = any that takes it. [any]
  uint16_t least_major, least_minor;
  uint32_t reserved;
} dlens_plugin;

// Returns static data and does nothing else: no allocation, no thread, no output. [any]
typedef const dlens_plugin *dlens_entry(void);

#define DLENS_ENTRY_SYMBOL "dlens_entry_v1"
DLENS_EXPORT const dlens_plugin *dlens_entry_v1(void);

DLENS_ASSERT(offsetof(dlens_plugin, get_interface) == 64);

#ifdef __cplusplus
}
#endif

#endif
